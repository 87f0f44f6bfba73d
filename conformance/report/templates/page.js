"use strict";
(() => {
  const root = document.documentElement;
  root.classList.add("js");
  const byId = (id) => document.getElementById(id);

  const filters = byId("filters");
  const items = [...document.querySelectorAll("[data-verdict]")];
  const groups = [...document.querySelectorAll("[data-group]")];
  const texts = new Map();
  const textOf = (element) => {
    if (!texts.has(element)) texts.set(element, element.textContent.toLowerCase());
    return texts.get(element);
  };
  const checked = (name) => new Set([...filters.querySelectorAll(`[name="${name}"]:checked`)].map((box) => box.value));

  const apply = () => {
    const verdicts = checked("verdict");
    const levels = checked("level");
    const wanted = filters.elements["class"].value;
    const words = byId("words").value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    let all = 0;
    for (const item of items) {
      const data = item.dataset;
      item.hidden = !(verdicts.has(data.verdict) && levels.has(data.level) && (!wanted || data.class === wanted)
        && words.every((word) => textOf(item).includes(word)));
      if (item.id) {
        all += 1;
        shown += item.hidden ? 0 : 1;
      }
    }
    for (const group of groups) group.hidden = !group.querySelector("[data-verdict]:not([hidden])");
    byId("matched").textContent = shown === all ? `${all} requirements` : `${shown} of ${all} requirements`;
  };
  filters.hidden = false;
  filters.addEventListener("input", apply);
  filters.addEventListener("submit", (event) => event.preventDefault());
  filters.addEventListener("reset", () => setTimeout(apply));
  apply();

  const search = byId("exchange-words");
  const rows = [...document.querySelectorAll("#all-exchanges tbody tr")];
  byId("exchange-filter").hidden = false;
  search.addEventListener("input", () => {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const row of rows) {
      row.hidden = !words.every((word) => textOf(row).includes(word));
      shown += row.hidden ? 0 : 1;
    }
    byId("exchange-matches").textContent = `${shown} of ${rows.length}`;
  });

  const decoded = (text) => {
    try {
      return decodeURIComponent(text);
    } catch {
      return text;
    }
  };
  const reveal = () => {
    const name = location.hash.slice(1);
    if (!name) return;
    const target = [name, decoded(name), `exchange:${name}`].map(byId).find(Boolean);
    if (!target) return;
    if (target.closest("[hidden]")) {
      filters.reset();
      search.value = "";
      for (const row of rows) row.hidden = false;
      apply();
    }
    for (let element = target; element; element = element.parentElement) {
      if (element.tagName === "DETAILS") element.open = true;
    }
    target.scrollIntoView();
  };
  const showMark = (details) => {
    for (const block of details.querySelectorAll("pre")) {
      const mark = block.querySelector("mark");
      if (mark) block.scrollTop = mark.offsetTop - 64;
    }
  };
  document.addEventListener("toggle", (event) => {
    if (event.target.open && event.target.matches(".exchange")) showMark(event.target);
  }, true);
  addEventListener("hashchange", reveal);
  addEventListener("click", (event) => {
    const link = event.target.closest("a[href^='#']");
    if (link && link.getAttribute("href") === location.hash) reveal();
  });
  reveal();

  addEventListener("click", async (event) => {
    const button = event.target.closest("button.copy");
    if (!button) return;
    const code = button.closest("figure").querySelector("code");
    try {
      await navigator.clipboard.writeText(code.textContent);
      button.textContent = "Copied";
    } catch {
      getSelection().selectAllChildren(code);
      button.textContent = "Selected: copy it with the keyboard";
    }
    setTimeout(() => { button.textContent = "Copy"; }, 2000);
  });
})();
