// Looks at pages in frames of several widths: faults that axe-core finds, what juts out, how small figures' letters are.
const scrolls = element => {
  for (let parent = element.parentElement; parent; parent = parent.parentElement)
    if (["auto", "scroll", "hidden"].includes(parent.ownerDocument.defaultView.getComputedStyle(parent).overflowX)) return true;
  return false;
};
const smallest = image => {  // of a figure's letters, in pixels of the page
  if (!image.src.startsWith("data:image/svg")) return null;
  const svg = atob(image.src.split(",")[1]);
  const drawn = parseFloat(svg.match(/viewBox="0 0 ([\d.]+)/)[1]);
  const sizes = [...svg.matchAll(/font(?:-size: |-size="|: (?:\w+ )*)([\d.]+)/g)].map(found => parseFloat(found[1]));
  return sizes.length ? Math.min(...sizes) * image.getBoundingClientRect().width / drawn : null;
};
const look = async (html, width) => {
  const frame = document.createElement("iframe");
  frame.style = `width: ${width}px; height: 900px; border: 0; color-scheme: light dark`;
  frame.srcdoc = html;
  const loaded = new Promise(done => frame.addEventListener("load", done, {once: true}));
  document.body.append(frame);
  await loaded;
  const page = frame.contentDocument, view = frame.contentWindow;
  page.querySelectorAll("details").forEach(each => each.open = true);
  const script = page.createElement("script");
  script.textContent = AXE;
  page.head.append(script);
  const found = await view.axe.run(page, {resultTypes: ["violations"]});
  const jutting = [...page.body.querySelectorAll("*")].filter(each => {
    const box = each.getBoundingClientRect();
    return box.width > 1 && box.right > page.documentElement.clientWidth + 1 && !scrolls(each);
  });
  const texts = page.createTreeWalker(page.body, view.NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {  // a word without an end overflows, and its element's box stays narrow
    const range = page.createRange();
    range.selectNodeContents(texts.currentNode);
    const parent = texts.currentNode.parentElement, right = range.getBoundingClientRect().right;
    if (right > page.documentElement.clientWidth + 1 && !scrolls(texts.currentNode)) jutting.push(parent);
  }
  const unreachable = [...page.body.querySelectorAll("*")].filter(each =>
    each.scrollWidth > each.clientWidth + 1 && each.tabIndex < 0 &&
    ["auto", "scroll"].includes(view.getComputedStyle(each).overflowX));
  const letters = [...page.images].map(smallest).filter(size => size !== null);
  const told = each => each.outerHTML.slice(0, 120);
  const seen = {
    violations: found.violations.map(each => [each.id, each.impact, each.nodes.map(node => node.html.slice(0, 120))]),
    passed: found.passes.length,
    jutting: jutting.map(told), unreachable: unreachable.map(told),
    wide: page.documentElement.scrollWidth - page.documentElement.clientWidth,
    letters: letters.length ? Math.min(...letters) : null,
    background: view.getComputedStyle(page.querySelector("main")).backgroundColor,
    captions: [...page.querySelectorAll("table")].filter(each => !each.caption || !each.caption.textContent.trim()).length,
  };
  frame.remove();
  return seen;
};
addEventListener("load", async () => {
  const seen = {};
  try {
    for (const [name, html] of Object.entries(PAGES))
      for (const width of WIDTHS) seen[`${name} ${width}`] = await look(html, width);
  } catch (error) { seen.error = String(error); }
  const report = document.createElement("pre");
  report.id = "looked-at";
  report.textContent = JSON.stringify(seen);
  document.body.append(report);
});
