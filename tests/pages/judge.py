"""Looks at a page as its reader does: does every text stand out, is nothing cut off, is all in one language?"""

from __future__ import annotations

from typing import Any

# WCAG 2.2, 1.4.3 and 1.4.11: of texts of whatever size, and of marks and icons; what cannot be used just now is exempt.
CONTRAST = {"text": 4.5, "mark": 3.0}

_FAINT = """(least) => {
  const parse = (text) => {
    const [r, g, b, a] = text.match(/[\\d.]+/g).map(Number), whole = text.startsWith("color(srgb") ? 255 : 1;
    return [r * whole, g * whole, b * whole, a ?? 1];
  };
  const over = (top, under) => top.slice(0, 3).map((one, at) => one * top[3] + under[at] * (1 - top[3]));
  const linear = (c) => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
  const light = ([r, g, b]) => 0.2126 * linear(r / 255) + 0.7152 * linear(g / 255) + 0.0722 * linear(b / 255);
  const ground = (one) => {
    const layers = [];
    for (let at = one; at; at = at.parentElement) {
      const colour = parse(getComputedStyle(at).backgroundColor);
      if (colour[3]) layers.push(colour);
      if (colour[3] === 1) break;
    }
    return layers.reverse().reduce((under, top) => over(top, under), [255, 255, 255]);
  };
  const found = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node; (node = walker.nextNode()); ) {
    const one = node.parentElement, text = node.textContent.trim();
    if (!text || !one.checkVisibility({ opacityProperty: true, visibilityProperty: true })) continue;
    if (one.closest("script, style, .cm-editor, [disabled], .disabled, .q-field--disabled")) continue;
    const range = document.createRange(); range.selectNodeContents(node);
    const box = range.getBoundingClientRect();
    if (box.width < 1 || box.height < 1) continue;
    const style = getComputedStyle(one), under = ground(one);
    const ink = parse(one instanceof SVGElement ? style.fill : style.color);
    let opacity = 1;
    for (let at = one; at; at = at.parentElement) opacity *= Number(getComputedStyle(at).opacity);
    const seen = over([...ink.slice(0, 3), ink[3] * opacity], under);
    const [low, high] = [light(seen), light(under)].sort((a, b) => a - b);
    const ratio = (high + 0.05) / (low + 0.05);
    const kind = one.closest("[aria-hidden=true], .material-icons") ? "mark" : "text";
    if (ratio >= least[kind] - 0.01) continue;
    found.push(`${ratio.toFixed(2)} ${text.slice(0, 40)} (${one.className.baseVal ?? one.className})`);
  }
  return [...new Set(found)];
}"""
# A sentence of three words; what equipment and people call things is mostly shorter, and code is code.
_ENGLISH = """() => {
  const found = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node; (node = walker.nextNode()); ) {
    const one = node.parentElement;
    const box = one.getBoundingClientRect();
    if (box.bottom < 0 || box.width < 1) continue;
    if (!one.checkVisibility({ opacityProperty: true, visibilityProperty: true })) continue;
    if (one.closest("script, style, code, pre, [lang=en], .cm-editor, dialog:not([open])")) continue;
    if (/[A-Za-z]{2,}([ ,]+[a-z]{2,}){2,}/.test(node.textContent)) found.push(node.textContent.trim());
  }
  return [...new Set(found)];
}"""
# What is wider than its box, and neither scrolls nor says by three dots that there is more.
_CUT = """() => [...document.querySelectorAll("body *")].filter((one) => {
  const style = getComputedStyle(one);
  return one.children.length === 0 && one.textContent.trim() && one.checkVisibility() && one.clientWidth > 4
    && !one.closest("script, style, .cm-editor, .material-icons") && style.overflowX === "hidden"
    && style.textOverflow !== "ellipsis" && one.scrollWidth > one.clientWidth + 1;
}).map((one) => one.textContent.trim().slice(0, 60))"""


def faint(page: Any) -> list[str]:
    """Texts that do not stand out enough from what is behind them, each with its contrast."""
    found: list[str] = page.evaluate(_FAINT, CONTRAST)
    return found


def english(page: Any) -> list[str]:
    """Sentences in English."""
    found: list[str] = page.evaluate(_ENGLISH)
    return found


def cut(page: Any) -> list[str]:
    """Texts of which a part is not seen."""
    found: list[str] = page.evaluate(_CUT)
    return found


def too_wide(page: Any) -> bool:
    """Whether one has to scroll sideways."""
    return bool(page.evaluate("document.documentElement.scrollWidth > innerWidth"))
