// Fixed names, since the controller embeds the files by name; nothing inline, since its policy
// forbids that. What draws plots is a file of its own: the page shows before it is there.
import { defineConfig } from "vite";

export default defineConfig({
  esbuild: { jsx: "automatic", jsxImportSource: "preact" },
  build: {
    target: "es2022",
    assetsInlineLimit: 0,
    modulePreload: false,
    cssCodeSplit: false,
    rollupOptions: {
      output: {
        entryFileNames: "app.js",
        chunkFileNames: "[name].js",
        assetFileNames: "style[extname]",
      },
    },
  },
});
