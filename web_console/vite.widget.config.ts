/*
 * The chat widget's build: `widget/main.ts` and all it imports as ONE classic script, hub/web/static/widget.js, that any
 * page can load with <script src="https://hub.example/widget.js" async>. It shares the directory with other static
 * files, so it never empties it.
 */
import { fileURLToPath, URL } from "node:url";

import { defineConfig } from "vite";

export default defineConfig({
  // The console's public files are not the widget's.
  publicDir: false,
  build: {
    outDir: "../hub/web/static",
    emptyOutDir: false,
    target: "es2020",
    cssCodeSplit: false,
    reportCompressedSize: false,
    lib: {
      entry: fileURLToPath(new URL("./widget/main.ts", import.meta.url)),
      name: "HubWidget",
      formats: ["iife"],
      fileName: () => "widget.js",
    },
  },
});
