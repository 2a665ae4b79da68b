/* The chat widget: a custom element that a shop's page loads with one script tag. */
class HubChat extends HTMLElement {}

if (!customElements.get("hub-chat")) customElements.define("hub-chat", HubChat);
