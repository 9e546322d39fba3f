// A program with a server in it, as somebody who has only the installed library would write it.
#include <iostream>
#include <string>
#include <string_view>
#include <wharf/server.hpp>

namespace {

struct Shout {
  wharf::Peer peer;
  void message(wharf::Kind kind, std::string_view data) { peer.send(kind, std::string(data) + "!"); }
};

int fail(const wharf::Error& error) {
  std::cerr << error.message << '\n';
  return 1;
}

}  // namespace

int main(int count, char** arguments) {
  wharf::ServerOptions options;
  options.threads = 2;
  options.stop_on_signals = true;
  wharf::Server server(options);
  if (const wharf::Error error = server.add(wharf::protocol<Shout>("shout"))) return fail(error);
  for (int i = 1; i < count; ++i)
    if (const wharf::Error error = server.load_plugin(arguments[i])) return fail(error);
  if (const wharf::Error error = server.listen("127.0.0.1", 0)) return fail(error);
  std::cout << "listening on http://" << server.addresses().front() << "/" << std::endl;
  if (const wharf::Error error = server.run()) return fail(error);
  std::cout << "stopped" << std::endl;
}
