// What the person has shown and what the attacked network has answered, as a conversation. The page announces the same
// to screen readers, so it is no live region.
import {avatar} from "./avatar.js";

const mostMessages = 12;
let messages = [];  // {picture} of the person or {label} of the network; words: () => text in the language of the page

function bubble({picture, label, words}) {
  const item = document.createElement("li"), text = document.createElement("p");
  item.className = picture ? "mine" : "theirs";
  text.textContent = words();
  item.append(picture || avatar(label), text);
  return item;
}

export function showChat() {
  const place = document.getElementById("chat");
  place.replaceChildren(...messages.map(bubble));
  place.hidden = messages.length === 0;
  place.scrollTop = place.scrollHeight;
}

// A question with its answer; of several in a row about the same, the last.
export function addToChat(question, answer, about) {
  const last = messages[messages.length - 1];
  if (last && about && last.about === about) messages = messages.slice(0, -2);
  messages = [...messages, {...question, about}, {...answer, about}].slice(-mostMessages);
  showChat();
}

export function clearChat() {
  messages = [];
  showChat();
}
