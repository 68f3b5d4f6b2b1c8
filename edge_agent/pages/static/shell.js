// What every page does by itself, without asking anybody: language, colours, full screen, the clock, running times.
"use strict";
const edge = {
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
  clock() {
    for (const one of document.querySelectorAll(".clock")) {
      const text = edge.hour(Date.now(), one.dataset.zone);
      if (one.textContent !== text) one.textContent = text;
    }
  },
};
addEventListener("DOMContentLoaded", edge.clock);
setInterval(edge.clock, 1000);
