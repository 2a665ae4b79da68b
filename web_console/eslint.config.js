import js from "@eslint/js";
import vue from "eslint-plugin-vue";
import tseslint from "typescript-eslint";

export default tseslint.config(
  { ignores: ["node_modules/", "src/api.d.ts", "src/events.ts"] }, // the last two are generated
  js.configs.recommended,
  ...tseslint.configs.strict,
  ...vue.configs["flat/recommended"],
  {
    files: ["**/*.vue"],
    languageOptions: { parserOptions: { parser: tseslint.parser } },
  },
  {
    rules: {
      // The type checker knows every name, the linter does not.
      "no-undef": "off",
      // "All but this one" is written by naming the one that is left out.
      "@typescript-eslint/no-unused-vars": ["error", { ignoreRestSiblings: true }],
      eqeqeq: ["error", "always"],
      "no-console": "error",
      "no-eval": "error",
      "no-implied-eval": "error",
      "no-new-func": "error",
      // A new array is another one each time, also where all in it is as it was: the callback ran whenever the hub told anything.
      "no-restricted-syntax": [
        "error",
        {
          selector: "CallExpression[callee.name='watch'] > ArrowFunctionExpression:first-child > :matches(ArrayExpression, TSAsExpression:has(> ArrayExpression)).body",
          message: "Give watch an array of getters: of one getter that makes an array every change of what it reads counts.",
        },
      ],
      // Text of strangers is text: nothing may be put in as HTML.
      "vue/no-v-html": "error",
      "vue/block-lang": ["error", { script: { lang: "ts" } }],
      "vue/component-api-style": ["error", ["script-setup"]],
      "vue/multi-word-component-names": "off",
      // An optional prop is `undefined` when it is not given, as its type says.
      "vue/require-default-prop": "off",
      // Layout is the writer's.
      "vue/max-attributes-per-line": "off",
      "vue/singleline-html-element-content-newline": "off",
      "vue/html-self-closing": "off",
      "vue/html-indent": "off",
      "vue/html-closing-bracket-newline": "off",
      "vue/first-attribute-linebreak": "off",
      "vue/multiline-html-element-content-newline": "off",
    },
  },
);
