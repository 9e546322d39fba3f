#pragma once
#include <string_view>

/// The page of socket-chat.
inline constexpr std::string_view chat_page = R"page(<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Wharf: chat</title>
<link rel="icon" href="data:,">
<style>
  :root { color-scheme: light dark; font: 1rem/1.5 system-ui, sans-serif; }
  body { display: flex; flex-direction: column; height: 100vh; max-width: 44rem; margin: auto; padding: 1rem; box-sizing: border-box; }
  h1 { font-size: 1.2rem; margin: 0; }
  #said { flex: 1; overflow-y: auto; margin: 1rem 0; padding: .5rem 1rem; border: 1px solid; list-style: none; overflow-wrap: anywhere; }
  #said .news { opacity: .7; font-style: italic; }
  form { display: flex; gap: .5rem; }
  input { flex: 1; font: inherit; padding: .4rem; }
  button { font: inherit; padding: .4rem 1rem; }
</style>
</head>
<body>
<h1>Chat</h1>
<p id="state" role="status">Connecting</p>
<ul id="said" aria-live="polite"></ul>
<form>
  <input id="line" autocomplete="off" maxlength="1000" aria-label="Message" placeholder="Say something, or: /name Ada" autofocus>
  <button disabled>Send</button>
</form>
<script>
  const [state, said, line, button] = ["state", "said", "line"].map(id => document.getElementById(id)).concat(document.querySelector("button"));
  const socket = new WebSocket(location.href.replace("http", "ws"), "chat");
  socket.onopen = () => { state.textContent = "Connected"; button.disabled = false; };
  socket.onclose = event => { state.textContent = `Over (${event.code}) ${event.reason}`; button.disabled = true; };
  socket.onmessage = event => {
    const item = document.createElement("li");
    item.textContent = event.data;
    if (event.data.startsWith("* ")) item.className = "news";
    said.append(item);
    item.scrollIntoView();
  };
  document.querySelector("form").onsubmit = event => {
    event.preventDefault();
    if (line.value && !button.disabled) socket.send(line.value);
    line.value = "";
  };
</script>
</body>
</html>
)page";
