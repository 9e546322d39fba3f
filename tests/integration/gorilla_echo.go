// An echo with gorilla/websocket, which compresses where the client offers it. It says on stdout where it listens. Given a URL, it is a
// client instead: it sends what comes on stdin, a message each line, and wants it back.
package main

import (
  "bufio"
  "bytes"
  "fmt"
  "net"
  "net/http"
  "os"

  "github.com/gorilla/websocket"
)

func serve() {
  upgrader := websocket.Upgrader{EnableCompression: true}
  listener, err := net.Listen("tcp", "127.0.0.1:0")
  if err != nil {
    panic(err)
  }
  fmt.Printf("listening on %d\n", listener.Addr().(*net.TCPAddr).Port)
  panic(http.Serve(listener, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
    connection, err := upgrader.Upgrade(w, r, nil)
    if err != nil {
      return
    }
    defer connection.Close()
    for {
      kind, message, err := connection.ReadMessage()
      if err != nil {
        return
      }
      if connection.WriteMessage(kind, message) != nil {
        return
      }
    }
  })))
}

func talk(url string) {
  dialer := websocket.Dialer{EnableCompression: true, Subprotocols: []string{"echo"}}
  connection, response, err := dialer.Dial(url, nil)
  if err != nil {
    panic(err)
  }
  fmt.Println(response.Header.Get("Sec-WebSocket-Extensions"))
  lines := bufio.NewReader(os.Stdin)
  for {
    line, err := lines.ReadBytes('\n')
    if err != nil {
      break
    }
    line = line[:len(line)-1]
    if err := connection.WriteMessage(websocket.TextMessage, line); err != nil {
      panic(err)
    }
    _, message, err := connection.ReadMessage()
    if err != nil {
      panic(err)
    }
    if !bytes.Equal(message, line) {
      panic("another message came back")
    }
  }
  connection.WriteMessage(websocket.CloseMessage, websocket.FormatCloseMessage(1000, "done"))
  _, _, err = connection.ReadMessage()
  fmt.Println(err)
}

func main() {
  if len(os.Args) == 2 {
    talk(os.Args[1])
  } else {
    serve()
  }
}
