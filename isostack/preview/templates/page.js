"use strict";
(() => {
  const every = (selector, within) => [...(within || document).querySelectorAll(selector)];
  const search = document.getElementById("search");
  if (!search) return;
  const stake = document.getElementById("stake");
  const alike = document.getElementById("alike");
  const rows = every(".change").map((row) => ({
    row,
    text: (row.querySelector(".what").textContent + " " + row.parentElement.querySelector("h3").textContent).toLowerCase(),
    cells: every("summary .cell", row),
  }));
  const chosen = (name) => new Set(every(`input[name=${name}]:checked`).map((box) => box.value));
  const filter = () => {
    const ops = chosen("op"), environments = chosen("environment"), words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const { row, text, cells } of rows) {
      const fits = cells.some((cell) => ops.has(cell.dataset.op) && environments.has(cell.dataset.environment) && (!stake.checked || cell.classList.contains("at-stake")));
      const wanted = !alike || alike.checked || words.length || !("alike" in row.dataset);
      row.hidden = !(wanted && fits && words.every((word) => text.includes(word)));
      shown += row.hidden ? 0 : 1;
    }
    for (const one of every("[data-environment]")) one.hidden = !environments.has(one.dataset.environment);
    for (const component of every(".component")) component.hidden = !component.querySelector(".change:not([hidden])");
    document.getElementById("shown").textContent = `${shown} of ${rows.length} resources`;
    document.getElementById("nothing").hidden = shown > 0;
  };
  document.querySelector(".filters").addEventListener("input", filter);
  filter();
})();
