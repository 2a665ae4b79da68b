import "./ui/tokens.css";
import "./ui/base.css";

import { createPinia } from "pinia";
import { createApp } from "vue";

import { sayBrowserFaults } from "./browserFaults";
import { chooseLanguage, i18n, setLanguage } from "./i18n";
import { router } from "./router";
import App from "./views/App.vue";

await setLanguage(chooseLanguage([localStorage.getItem("hub.language"), ...navigator.languages]));
sayBrowserFaults((key, named) => i18n.global.t(key, named ?? {}));
createApp(App).use(createPinia()).use(i18n).use(router).mount("#app");
