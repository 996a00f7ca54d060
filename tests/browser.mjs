// Runs a Python script in Pyodide: node browser.mjs <pyodide.mjs> <script.py> <mount>=<folder>...
import fs from "node:fs";
import { pathToFileURL } from "node:url";

const [pyodide, script, ...mounts] = process.argv.slice(2);
const { loadPyodide } = await import(pathToFileURL(pyodide).href);
const python = await loadPyodide();
for (const mount of mounts) {
  const [at, root] = mount.split("=");
  python.FS.mkdir(at);
  python.FS.mount(python.FS.filesystems.NODEFS, { root }, at);
}
try {
  python.runPython(fs.readFileSync(script, "utf-8"));
} catch (error) {
  console.error(error.message);
  process.exit(1);
}
