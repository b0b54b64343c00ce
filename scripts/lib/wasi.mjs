// Runs a WebAssembly command (wasm32-wasip1) under Node's WASI: the runner that cargo
// calls as `node wasi.mjs PROGRAM ARGUMENT...`.

import { readFile } from "node:fs/promises";
import { argv, cwd, env, exit } from "node:process";
import { WASI } from "node:wasi";

const [program, ...args] = argv.slice(2);
const wasi = new WASI({
  version: "preview1",
  args: [program, ...args],
  env,
  // Relative names are looked up in the first folder that fits.
  preopens: { ".": cwd(), "/": "/" },
});
const module = await WebAssembly.compile(await readFile(program));
const instance = await WebAssembly.instantiate(module, wasi.getImportObject());
exit(wasi.start(instance));
