/*
 * The console's build: a static single-page app served by the hub at `/`.
 *
 * It has to run under `script-src 'self'; style-src 'self'`: no inline script, no eval, no inline style. So the
 * module-preload polyfill (an inline script) is off, no asset becomes a data: URL, and vue-i18n interprets its messages
 * (its only way since version 10) instead of compiling them with `new Function`.
 *
 * `npm run dev` serves on 5173 and passes everything that is not the console's own to the hub at HUB_DEV_URL.
 */
import { fileURLToPath, URL } from "node:url";

import vue from "@vitejs/plugin-vue";
import { defineConfig } from "vitest/config";

const HUB_DEV_URL = process.env["HUB_DEV_URL"] ?? "http://127.0.0.1:8080";

export default defineConfig({
  base: "/",
  plugins: [vue()],
  resolve: {
    alias: { "@": fileURLToPath(new URL("./src", import.meta.url)) },
  },
  define: {
    __VUE_OPTIONS_API__: false,
    __VUE_PROD_DEVTOOLS__: false,
    __VUE_PROD_HYDRATION_MISMATCH_DETAILS__: false,
    __VUE_I18N_FULL_INSTALL__: false,
    __VUE_I18N_LEGACY_API__: false,
    __INTLIFY_DROP_MESSAGE_COMPILER__: false,
    __INTLIFY_PROD_DEVTOOLS__: false,
  },
  build: {
    outDir: "../hub/web/static/console",
    emptyOutDir: true,
    // Vue 3.5, reka-ui and <dialog>: browsers of the last two and a half years.
    target: "es2022",
    assetsDir: "assets",
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    sourcemap: false,
    reportCompressedSize: false,
  },
  server: {
    port: 5173,
    strictPort: true,
    proxy: {
      "/api": HUB_DEV_URL,
      "/webhooks": HUB_DEV_URL,
      "/chat": { target: HUB_DEV_URL, ws: true },
      "/live": { target: HUB_DEV_URL, ws: true },
      "/demo": HUB_DEV_URL,
      "/widget.js": HUB_DEV_URL,
    },
  },
  test: {
    environment: "jsdom",
    include: ["src/**/*.test.ts", "widget/**/*.test.ts", "test/**/*.test.ts"],
    passWithNoTests: true,
    restoreMocks: true,
  },
});
