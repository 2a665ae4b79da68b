// The button calls through the widget, which is the telephone; it says why it cannot, if it cannot.
const button = document.getElementById("call");
const why = document.getElementById("why");

async function ask() {
  const answer = await fetch("/chat/chat-demo/visit", { method: "POST", credentials: "same-origin" });
  const visit = answer.ok ? await answer.json() : null;
  const can = typeof RTCPeerConnection === "function" && navigator.mediaDevices?.getUserMedia;
  if (!visit) why.textContent = "The hub does not answer. Reload this page in a moment.";
  else if (!visit.calls) why.textContent = "Calls are not possible: the media process is not running (it needs the extra “voice”).";
  else if (!can) why.textContent = "This browser cannot call from here: it wants https, or 127.0.0.1.";
  else {
    // The widget's script comes when it comes.
    await customElements.whenDefined("hub-chat");
    why.textContent = "";
    button.disabled = false;
    // On a narrow page the chat would cover the button.
    if (innerWidth > 900) document.querySelector("hub-chat")?.open();
  }
}

button.addEventListener("click", () => document.querySelector("hub-chat")?.call());
ask().catch(() => { why.textContent = "The hub does not answer. Reload this page in a moment."; });
