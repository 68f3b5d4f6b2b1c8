// The board as large as the screen: so many columns that every tile is as large as can be; and one line alone, if chosen.
"use strict";
const andon = {
  RATIO: 1.5,        // a tile's width to its height
  LEAST: 132,        // px: narrower ones cannot be read; then the board scrolls
  PHONE: 640,
  FEW: 8,            // on a phone each of so many has the whole width
  chosen: "",
  // Only a rule of style: the elements are the server's.
  choose(key) {
    andon.chosen = andon.chosen === key || key.startsWith("site:") ? "" : key;
    const line = CSS.escape(andon.chosen.replace(/^line:/, ""));
    andon.style.textContent = andon.chosen
      ? `.board > .place:not([data-line="${line}"]) { display: none }
         .rollups > [data-key="${CSS.escape(andon.chosen)}"] .rollup { outline: 3px solid var(--accent) }` : "";
    andon.fit();
  },
  fit() {
    const board = document.querySelector(".board");
    if (!board) return;
    const tiles = [...board.querySelectorAll(":scope > .place")].filter((one) => getComputedStyle(one).display !== "none").length;
    const gap = parseFloat(getComputedStyle(board).columnGap) || 0;
    const width = board.clientWidth;
    let columns, height;
    if (innerWidth < andon.PHONE) {
      columns = tiles <= andon.FEW ? 1 : 2;
      height = (width - gap * (columns - 1)) / columns / (columns === 1 ? 1.75 : 1.4);
    } else {
      const below = parseFloat(getComputedStyle(board.parentElement).paddingBottom) || 0;
      const free = Math.max(260, innerHeight - board.getBoundingClientRect().top - scrollY - below - 2);
      [columns, height] = andon.best(tiles || 1, width, free, gap);
    }
    board.style.setProperty("--columns", columns);
    board.style.setProperty("--height", `${Math.floor(height)}px`);
  },
  best(tiles, width, free, gap) {
    let found = [1, 0], size = -1;
    for (let columns = 1; columns <= tiles; columns++) {
      const rows = Math.ceil(tiles / columns);
      const wide = (width - gap * (columns - 1)) / columns;
      const high = (free - gap * (rows - 1)) / rows;
      if (Math.min(wide / andon.RATIO, high) > size && wide >= andon.LEAST) {
        size = Math.min(wide / andon.RATIO, high);
        found = [columns, Math.min(high, wide / andon.RATIO * 1.15)];
      }
    }
    return found[1] * andon.RATIO >= andon.LEAST * 0.8 ? found : andon.scrolling(width, gap);
  },
  // More machines than fit: as small as can be read, and the page scrolls.
  scrolling(width, gap) {
    const columns = Math.max(1, Math.floor((width + gap) / (andon.LEAST + gap)));
    return [columns, (width - gap * (columns - 1)) / columns / andon.RATIO];
  },
  start() {
    andon.style = document.head.appendChild(document.createElement("style"));
    addEventListener("resize", andon.fit);
    // The elements come when the library has made them, and may change with the site.
    let due = 0;
    const soon = () => { due ||= requestAnimationFrame(() => { due = 0; andon.fit(); }); };
    new MutationObserver(soon).observe(document.body, { childList: true, subtree: true });
    andon.fit();
  },
};
if (document.readyState === "loading") addEventListener("DOMContentLoaded", andon.start);
else andon.start();
