// A stop is given a reason: one click on the stop, one on the reason. What cannot be sent waits in this browser, also
// over a restart, and is sent in its order once it can be; each has an id, by which the agent takes it once, and the name
// of whoever has said it, under which alone it is sent.
"use strict";
const stops = {
  KEY: "edge_agent_reasons",
  MOST: 200,           // waiting; a shift has fewer stops that somebody names
  AGAIN_MS: 5000,
  CLICK_MS: 200,       // a browser has made a click of a press by then, if it makes one
  STILL_PX: 4,         // whoever moves further draws the timeline, or scrolls
  BESIDE_PX: 3,
  asked: null,
  clicked: 0,
  down: null,
  ask(stop) {
    stops.clicked = Date.now();
    stops.asked = { machine: stop.dataset.machine, stop: stop.dataset.stop };
    const dialog = document.getElementById("why-stop");
    dialog.querySelector(".which").textContent = ["pill", "when"].map((name) => stop.querySelector("." + name).textContent).join(" · ");
    dialog.querySelector(".reasons").innerHTML = document.querySelector(".offered").innerHTML;
    dialog.querySelector("input").value = "";
    if (!dialog.open) dialog.showModal();
  },
  // The list and the timeline are drawn anew while somebody may be pressing on them, and a browser makes no click of a
  // press on one element and a release on the next: so it is the place that counts.
  pressed(event) {
    stops.down = { x: event.clientX, y: event.clientY, stop: event.target.closest?.("button.stop")?.dataset.stop };
  },
  released(event) {
    const down = stops.down;
    stops.down = null;
    if (!down || Math.hypot(event.clientX - down.x, event.clientY - down.y) > stops.STILL_PX) return;
    const chart = event.target.closest?.(".chart.timeline");
    // A real click comes at once, and on a touch screen a little later.
    setTimeout(() => {
      if (Date.now() - stops.clicked <= 2 * stops.CLICK_MS || document.querySelector("dialog[open]")) return;
      const stop = down.stop ? document.querySelector(`button.stop[data-stop="${down.stop}"]`) : chart && stops.under(chart, event);
      if (stop) stops.ask(stop);
    }, stops.CLICK_MS);
  },
  // The stop in the list that is drawn under the pointer; one that is narrower than a finger is met beside it, too.
  under(place, event) {
    const chart = getElement(Number(place.id.slice(1)))?.chart, box = place.getBoundingClientRect();
    const x = event.clientX - box.left, y = event.clientY - box.top;
    if (!chart?.containPixel("grid", [x, y])) return null;
    const [at, before, after] = [x, x - stops.BESIDE_PX, x + stops.BESIDE_PX].map((one) => chart.convertFromPixel({ xAxisIndex: 0 }, one));
    const all = [...document.querySelectorAll("button.stop")].map((one) => [Number(one.dataset.start), Number(one.dataset.end || Infinity), one]);
    const met = (from, to) => all.find(([start, end]) => start <= to && from < end)?.[2];
    return met(at, at) ?? met(before, after);
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
addEventListener("pointerdown", stops.pressed, true);
addEventListener("pointerup", stops.released, true);
addEventListener("online", stops.send);
setInterval(() => stops.mine().length && stops.send(), stops.AGAIN_MS);
setTimeout(() => { stops.tell(); stops.send(); }, 500);
