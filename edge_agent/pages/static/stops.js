// A stop is given a reason: one click on the stop, one on the reason. What cannot be sent waits in this browser, also
// over a restart, and is sent in its order once it can be; each has an id, by which the agent takes it once.
"use strict";
const stops = {
  KEY: "edge_agent_reasons",
  MOST: 200,           // waiting; a shift has fewer stops that somebody names
  AGAIN_MS: 5000,
  asked: null,
  ask(stop) {
    stops.asked = { machine: stop.dataset.machine, stop: stop.dataset.stop };
    const dialog = document.getElementById("why-stop");
    dialog.querySelector(".which").textContent = ["pill", "when"].map((name) => stop.querySelector("." + name).textContent).join(" · ");
    dialog.querySelector("input").value = "";
    dialog.showModal();
  },
  // The stop in the list that was going on at that instant, ms: they are in the order of time, the newest first.
  askAt(ms) {
    const found = [...document.querySelectorAll("button.stop")].find((one) => Number(BigInt(one.dataset.stop) / 1000000n) <= ms);
    if (found) stops.ask(found);
  },
  say(reason) {
    reason = reason.trim();
    if (!reason || !stops.asked) return;
    document.getElementById("why-stop").close();
    const waiting = stops.waiting();
    waiting.push({ ...stops.asked, reason, id: stops.id(), user: stops.user() });
    stops.keep(waiting.slice(-stops.MOST));
    stops.send();
  },
  id() {
    return "p-" + Array.from(crypto.getRandomValues(new Uint32Array(4)), (n) => n.toString(36)).join("");
  },
  waiting() {
    try {
      return JSON.parse(localStorage.getItem(stops.KEY)) || [];
    } catch {
      return [];
    }
  },
  // Who is logged in here; "" where nobody may say anything.
  user() {
    return document.getElementById("why-stop")?.dataset.user || "";
  },
  // What one has said is never sent as another's, who has logged in here since.
  own() {
    const user = stops.user();
    return user ? stops.waiting().filter((one) => one.user === user) : [];
  },
  keep(waiting) {
    localStorage.setItem(stops.KEY, JSON.stringify(waiting));
    stops.tell();
  },
  // One after the other; an answer of the agent ends it, whatever it is, and only its absence makes it wait.
  async send() {
    if (stops.sending) return;
    stops.sending = true;
    try {
      for (let first; (first = stops.own()[0]); ) {
        const answer = await fetch(`/say/${encodeURIComponent(first.machine)}/stops/${first.stop}/reason`, {
          method: "POST",
          headers: { "Content-Type": "application/json" },
          body: JSON.stringify({ reason: first.reason, id: first.id }),
        });
        if (answer.status === 401 || answer.status === 429 || answer.status >= 500) break;
        stops.keep(stops.waiting().filter((one) => one.id !== first.id));
        const said = await answer.json().catch(() => ({}));
        stops.toast(answer.ok ? "saved" : "refused", said.error || "");
      }
    } catch {
      // no connection
    } finally {
      stops.sending = false;
      stops.tell();
    }
  },
  tell() {
    const line = document.querySelector(".queued"), dialog = document.getElementById("why-stop");
    if (!line || !dialog) return;
    const number = stops.own().length;
    line.hidden = !number;
    line.textContent = dialog.dataset.queued.replace("#", number);
  },
  toast(kind, error) {
    const dialog = document.getElementById("why-stop");
    if (!dialog) return;
    const box = document.createElement("div");
    box.className = `toast ${kind}`;
    box.setAttribute("role", "status");
    box.textContent = dialog.dataset[kind].replace("#", error);
    document.body.append(box);
    setTimeout(() => box.remove(), 4000);
  },
};
addEventListener("online", stops.send);
setInterval(() => stops.own().length && stops.send(), stops.AGAIN_MS);
setTimeout(() => { stops.tell(); stops.send(); }, 500);
