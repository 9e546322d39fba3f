// A program that exports all its symbols to the plugins that it loads (-rdynamic, with visible classes): a server with rows of its
// own whose classes have the names of those in namesake.cpp, and plugins, each at /NAME/: `host PREFIX=FILE ROW`...
#include <array>
#include <iostream>
#include <string>
#include <string_view>
#include <wharf/server.hpp>

struct Api {
  struct Shared {
    std::array<char, 3> padding{};
    std::string word = "host";
  };
  static void request(wharf::Exchange exchange, Shared& shared) { exchange.respond(200, "text/plain", shared.word); }
};

struct Later {
  struct Responder {
    wharf::Exchange exchange;
    void request() { exchange.respond(200, "text/plain", "host"); }
    void closing(bool /*complete*/) {}
  };
};

namespace {

int fail(const wharf::Error& error) {
  std::cerr << error.message << '\n';
  return 1;
}

}  // namespace

int main(int count, char** arguments) {
  wharf::ServerOptions options;
  options.stop_on_signals = true;
  wharf::Server server(options);
  if (const wharf::Error error = server.add(wharf::protocol<Api>("host"))) return fail(error);
  if (const wharf::Error error = server.add(wharf::protocol<Later>("host-later"))) return fail(error);
  for (int i = 1; i < count; ++i)
    if (const wharf::Error error = server.load_plugin(arguments[i])) std::cerr << error.message << '\n';
  wharf::VirtualHost host;
  for (const std::string& name : server.protocols())
    if (!name.ends_with("-talk")) host.mounts.push_back({"/" + name + "/", wharf::Requests{name}});
  if (const wharf::Error error = server.add(host)) return fail(error);
  if (const wharf::Error error = server.listen("127.0.0.1", 0)) return fail(error);
  const auto ready = [&server] {
    std::cout << "listening on http://" << server.addresses().front() << "/";
    for (const std::string& name : server.protocols()) std::cout << ' ' << name;
    std::cout << std::endl;
  };
  if (const wharf::Error error = server.run(ready)) return fail(error);
}
