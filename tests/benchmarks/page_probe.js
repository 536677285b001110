// Looks at a page from within: when pictures that were asked for are drawn. Both pages have `.tile[data-id]`, in shadow
// roots that are open. Times are milliseconds after the key was pressed, or after the browser set out for the page.
(() => {
  const ROW = 2; // pixels by which tops of one row may differ
  const MOST_MS = 120_000; // that anything takes
  const frame = () => new Promise(requestAnimationFrame);
  const painted = async () => { // when the frame that follows has been handed on
    await frame();
    await new Promise((resolve) => {
      const channel = new MessageChannel();
      channel.port1.onmessage = resolve;
      channel.port2.postMessage(0);
    });
  };

  let known = [];
  const roots = () => {
    const found = [document];
    for (const root of found) root.querySelectorAll("*").forEach((one) => one.shadowRoot && found.push(one.shadowRoot));
    return found;
  };
  function all(selector) {
    const look = () => known.filter((one) => one === document || one.host.isConnected).flatMap((one) => [...one.querySelectorAll(selector)]);
    const found = look();
    if (found.length) return found;
    known = roots();
    return look();
  }
  const inWindow = (one) => {
    const box = one.getBoundingClientRect();
    return box.width > 0 && box.bottom > 0 && box.top < innerHeight;
  };
  const tiles = () => all(".tile[data-id]").filter(inWindow);
  const idsOf = (some) => some.map((one) => one.dataset.id).join();
  const isThere = (image) => image?.complete && image.naturalWidth > 0;
  const firstRow = (some) => {
    const tops = some.map((one) => one.getBoundingClientRect().top), least = Math.min(...tops);
    return some.filter((one, place) => tops[place] <= least + ROW);
  };

  async function drawn(images) {
    await Promise.all(images.map((one) => one.decode().catch(() => {})));
    await painted();
    return performance.now();
  }

  // Resolves when other tiles than `before` are in the window with their pictures: the first row, then all of them.
  async function pictures(before, started) {
    let first = 0;
    for (const until = performance.now() + MOST_MS; performance.now() < until;) {
      const seen = tiles();
      if (seen.length && idsOf(seen) !== before) {
        const images = seen.map((one) => one.querySelector("img"));
        if (!first) {
          const row = firstRow(seen).map((one) => one.querySelector("img"));
          if (row.every(isThere)) first = await drawn(row);
        }
        if (first && images.every(isThere)) return { first: first - started, all: (await drawn(images)) - started, tiles: seen.length };
      }
      await frame();
    }
    throw new Error("no other pictures were drawn");
  }

  async function turned(selector, before, started) {
    for (const until = performance.now() + MOST_MS; performance.now() < until;) {
      const image = all(selector).find((one) => !before.includes(one.getAttribute("src")));
      if (isThere(image) && image.style.opacity !== "0.35") return (await drawn([image])) - started;
      await frame();
    }
    throw new Error("no other picture was drawn");
  }

  const afterKey = (deed) => new Promise((resolve, reject) => {
    addEventListener("keydown", (event) => deed(event.timeStamp).then(resolve, reject), { capture: true, once: true });
  });

  globalThis.probe = {
    loaded: () => pictures("", 0),
    arm() {
      const before = idsOf(tiles());
      this.seen = afterKey((started) => pictures(before, started));
    },
    armTurn(selector) {
      const before = all(selector).map((one) => one.getAttribute("src"));
      this.seen = afterKey((started) => turned(selector, before, started));
    },
    isShown: (selector, settled) => all(selector).some(isThere) && all(settled).length > 0,

    // Scrolls steadily until so many tiles have gone by, and counts frames that came late and tiles without a picture.
    async scroll(scrollerSelector, { count, pixelsASecond }) {
      const [scroller] = all(scrollerSelector);
      const seen = new Set(), gaps = [];
      let missing = 0, looked = 0, place = scroller.scrollTop, turn = 0;
      let before = await frame();
      const started = before;
      while (seen.size < count && place < scroller.scrollHeight - scroller.clientHeight - 1) {
        const now = await frame();
        gaps.push(Math.round(10 * (now - before)) / 10);
        place += ((now - before) * pixelsASecond) / 1000;
        scroller.scrollTop = place;
        before = now;
        turn += 1;
        if (turn % 6) continue;
        const here = tiles();
        here.forEach((one) => seen.add(one.dataset.id));
        looked += here.length;
        missing += here.filter((one) => !isThere(one.querySelector("img"))).length;
      }
      return { gaps, tiles: seen.size, missing, looked, seconds: (before - started) / 1000 };
    },
  };
})();
