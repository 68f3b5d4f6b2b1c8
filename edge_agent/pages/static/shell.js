// What every page does by itself, without asking anybody: language, colours, full screen, the clock, running times.
"use strict";
const edge = {
  LOST_MS: 3000,       // a connection that is made again sooner is not missed
  FIRST_MS: 15000,     // a slow computer takes that long to have one at all
  heard: Date.now(),
  known: false,
  keep(name, value) {
    document.cookie = `edge_agent_${name}=${value};path=/;max-age=31536000;samesite=strict`;
  },
  language(code) {
    edge.keep("language", code);
    location.reload();
  },
  theme(name) {
    edge.keep("theme", name);
    location.reload();
  },
  // The first visit takes the colours of the computer.
  first() {
    const dark = matchMedia("(prefers-color-scheme: dark)").matches;
    edge.keep("theme", dark ? "dark" : "light");
    if (dark && document.cookie.includes("edge_agent_theme=")) location.reload();
  },
  // Charts are told what large letters are; the next page knows.
  size() {
    const px = Math.round(parseFloat(getComputedStyle(document.documentElement).fontSize));
    edge.keep("size", px);
    edge.big = Math.max(1, px / 16);
  },
  big: 1,
  wall() {
    if (document.fullscreenElement) document.exitFullscreen();
    else document.documentElement.requestFullscreen().catch(() => {});
  },
  // The site's wall clock at an instant, ms.
  hour(ms, zone, seconds) {
    const key = zone + (seconds ? "s" : "");
    edge.formats ??= {};
    edge.formats[key] ??= new Intl.DateTimeFormat("en-GB", {
      timeZone: zone || undefined, hour: "2-digit", minute: "2-digit", second: seconds ? "2-digit" : undefined,
    });
    return edge.formats[key].format(ms);
  },
  // The pages' process is away, and the agent with it, or the network: nothing of the page is what is now.
  lost() {
    const line = document.querySelector(".lost"), socket = window.socket;
    if (!line) return;
    if (socket?.connected) [edge.heard, edge.known] = [Date.now(), true];
    const away = Date.now() - edge.heard > (edge.known ? edge.LOST_MS : edge.FIRST_MS);
    line.hidden = !away;
    document.documentElement.classList.toggle("is-lost", away);
    if (away) line.textContent = line.dataset.text.replace("#", edge.hour(edge.heard, document.querySelector(".clock").dataset.zone, true));
  },
  clock() {
    for (const one of document.querySelectorAll(".clock")) {
      const text = edge.hour(Date.now(), one.dataset.zone);
      if (one.textContent !== text) one.textContent = text;
    }
  },
};
addEventListener("DOMContentLoaded", () => { edge.size(); edge.clock(); });
addEventListener("resize", edge.size);
setInterval(edge.clock, 1000);
setInterval(edge.lost, 1000);
