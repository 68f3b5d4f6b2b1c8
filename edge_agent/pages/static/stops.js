// A stop is given a reason: one click on the stop, one on the reason. What cannot be sent waits in this browser, also
// over a restart, and is sent in its order once it can be; each has an id, by which the agent takes it once, and the name
// of whoever has said it, under which alone it is sent.
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
    dialog.querySelector(".reasons").innerHTML = document.querySelector(".offered").innerHTML;
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
    waiting.push({ ...stops.asked, reason, id: stops.id(), user: stops.line.dataset.user });
    stops.keep(waiting.slice(-stops.MOST));
    stops.send();
  },
  // What is said of them, and who looks.
  get line() {
    return document.querySelector(".queued");
  },
  // What one has said is never sent as another's, who has logged in here since.
  mine() {
    const user = stops.line?.dataset.user;
    return stops.waiting().filter((one) => user && one.user === user);
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
  keep(waiting) {
    localStorage.setItem(stops.KEY, JSON.stringify(waiting));
    stops.tell();
  },
  // One after the other; an answer of the agent ends it, whatever it is, and only its absence makes it wait.
  async send() {
    if (stops.sending) return;
    stops.sending = true;
    try {
      for (let first; (first = stops.mine()[0]); ) {
        const answer = await fetch(`/say/${encodeURIComponent(first.machine)}/stops/${first.stop}/reason`, {
          method: "POST",
          headers: { "Content-Type": "application/json" },
          body: JSON.stringify({ reason: first.reason, id: first.id }),
        });
        stops.ended = answer.status === 401;
        if (stops.ended || answer.status === 429 || answer.status >= 500) break;
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
    const line = stops.line;
    if (!line) return;
    const number = stops.waiting().length, foreign = number > stops.mine().length;
    line.hidden = !number;
    line.textContent = line.dataset[stops.ended || foreign ? "login" : "queued"].replace("#", number);
  },
  toast(kind, error) {
    const line = stops.line;
    if (!line) return;
    const box = document.createElement("div");
    box.className = `toast ${kind}`;
    box.setAttribute("role", "status");
    box.textContent = line.dataset[kind].replace("#", error);
    document.body.append(box);
    setTimeout(() => box.remove(), 4000);
  },
};
addEventListener("online", stops.send);
setInterval(() => stops.mine().length && stops.send(), stops.AGAIN_MS);
setTimeout(() => { stops.tell(); stops.send(); }, 500);
