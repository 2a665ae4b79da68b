// The search box: shows what has all the words, hides the rest. Without this script the page shows everything.
const search = document.getElementById("search");
const items = [...document.querySelectorAll("[data-find]")];
const groups = [...document.querySelectorAll("nav section, main .tag")];

function show() {
  const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
  for (const item of items) item.hidden = !words.every((word) => item.dataset.find.includes(word));
  for (const group of groups) {
    const held = [...group.querySelectorAll("[data-find]")];
    group.hidden = words.length > 0 && held.every((item) => item.hidden);
  }
  document.getElementById("nothing").hidden = items.some((item) => !item.hidden);
}

search.hidden = false;
search.addEventListener("input", show);
document.addEventListener("keydown", (event) => {
  if (event.key === "/" && document.activeElement !== search) {
    event.preventDefault();
    search.focus();
  }
});
show();
