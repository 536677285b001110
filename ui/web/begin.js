// What a document begins with: the application, and Streamlit behind it once pictures are shown, or soon in any case.
const MOST_MS = 2_500;

function beginStreamlit() {
  const behind = document.getElementById("xuntu-behind");
  if (!behind) return;
  document.head.append(document.importNode(behind.content, true));
  behind.remove();
}

const data = JSON.parse(document.getElementById("xuntu-data").textContent);
try {
  const { open } = await import("./main.js");
  const opened = open(data);
  const soon = new Promise((resolve) => {
    setTimeout(resolve, MOST_MS);
    document.addEventListener("xuntu:script-wanted", resolve, { once: true });
  });
  if (data.page === "search") await Promise.race([opened, soon]);
} finally {
  beginStreamlit();
}
