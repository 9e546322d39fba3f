#include "protocol/plugin_loader.h"

#include <doctest/doctest.h>
#include <elf.h>
#include <link.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <iterator>

#include "protocol/plugin_symbols.h"
#include "temporary_folder.h"
#include "wharf/server.hpp"

namespace {

using namespace wharf;
namespace fs = std::filesystem;

std::string plugin_file(const std::string& name) { return WHARF_TEST_PLUGINS "/faulty_" + name + ".so"; }

/// A server that may load plugins, and its log.
struct Loading {
  Loading() : server(options()) {}
  ServerOptions options() {
    ServerOptions options;
    options.log = [this](Level level, std::string_view text) {
      lines.push_back((level == Level::error ? "error: " : "? ") + std::string(text));
    };
    return options;
  }
  /// Loads one plugin, and returns the message about it without its name.
  std::string reason(const std::string& file) {
    const std::string message = server.load_plugin(file).message;
    const std::string start = "plugin '" + file + "' is refused: ";
    CHECK(message.starts_with(start));
    CHECK(message.find('\n') == std::string::npos);
    CHECK(server.protocols().empty());
    return message.substr(std::min(start.size(), message.size()));
  }

  std::vector<std::string> lines;
  Server server;
};

struct Folder : TemporaryFolder {
  void link(const std::string& plugin, const std::string& name) const { fs::copy_file(plugin_file(plugin), path / name); }
};

}  // namespace

TEST_CASE("plugin loader: files that are no plugins") {
  const Folder folder;
  Loading loading;
  CHECK(loading.reason(folder.path / "missing.so") ==
        "it cannot be loaded: cannot open shared object file: No such file or directory");
  CHECK(loading.reason(folder.write("notes.so", "these are notes, and long enough to have room for the head of an object file")) ==
        "it cannot be loaded: it is not an object file (ELF)");
  CHECK(loading.reason(folder.write("empty.so", "")) == "it cannot be loaded: it is not an object file (ELF)");
  CHECK(loading.reason(folder.path) == "it cannot be loaded: it is not a regular file");
  const std::string program = content_of("/proc/self/exe");
  CHECK(loading.reason(folder.write("program.so", program)).starts_with("it cannot be loaded: "));
}

TEST_CASE("plugin loader: a file cut short ended the process with SIGBUS") {
  const Folder folder;
  const std::string whole = content_of(plugin_file("first"));
  REQUIRE(whole.size() > 3000);
  Loading loading;
  CHECK(loading.reason(folder.write("short.so", whole.substr(0, 3000))) ==
        "it cannot be loaded: the file is cut short: copy or build it again");
  // The bytes behind the segments are only for debuggers: the first cut that loads is behind them all.
  std::size_t size = 0;
  for (; size < whole.size(); size += size < 1000 ? 1 : 37) {
    CAPTURE(size);
    if (!loading.server.load_plugin(folder.write("cut.so", whole.substr(0, size)))) break;
    fs::remove(folder.path / "cut.so");
  }
  CHECK(size > 3000);
  CHECK(loading.server.protocols().size() == (size < whole.size() ? 1 : 0));
  CHECK(loading.lines.empty());
}

TEST_CASE("plugin loader: a named pipe that nobody writes held the server up for ever") {
  const Folder folder;
  const std::string pipe = folder.path / "pipe.so";
  REQUIRE(mkfifo(pipe.c_str(), 0600) == 0);
  Loading loading;
  CHECK(loading.reason(pipe) == "it cannot be loaded: it is not a regular file");
}

TEST_CASE("plugin loader: files for other machines") {
  const Folder folder;
  Loading loading;
  for (const std::size_t at : {std::size_t{EI_CLASS}, std::size_t{EI_DATA}, offsetof(ElfW(Ehdr), e_machine)}) {
    std::string other = content_of(plugin_file("first"));
    other[at] = static_cast<char>(other[at] ^ 3);
    CHECK(loading.reason(folder.write("other.so", other)) == "it cannot be loaded: it was built for another kind of machine");
  }
}

TEST_CASE("plugin loader: plugins with a fault") {
  Loading loading;
  CHECK(loading.reason(plugin_file("no_symbol")) ==
        "it is not a wharf plugin: it exports no symbol wharf_plugin_export (see WHARF_EXPORT)");
  CHECK(loading.reason(plugin_file("unresolved")) == "it cannot be loaded: undefined symbol: nobody_defines_this");
  CHECK(loading.reason(plugin_file("other_abi")) ==
        "it was built for ABI 2, this server has ABI 1; rebuild it against the installed headers");
  CHECK(loading.reason(plugin_file("newer")) == "it needs ABI 1." + std::to_string(WHARF_ABI_MINOR + 1) +
                                                    ", this server has ABI 1." + std::to_string(WHARF_ABI_MINOR) +
                                                    "; update the server, or build the plugin against the server's headers");
  CHECK(loading.reason(plugin_file("too_small")) == "its wharf_plugin_export is too small");
  CHECK(loading.reason(plugin_file("no_rows")) == "it lists no protocol rows");
  CHECK(loading.reason(plugin_file("null_row")) == "a protocol row is missing");
  CHECK(loading.reason(plugin_file("reserved")) == "protocol name 'http' is reserved: HTTP is protocol zero");
  CHECK(loading.reason(plugin_file("not_token")).starts_with("protocol name 'two words' is not a token"));
  CHECK(loading.reason(plugin_file("twins")) == "protocol 'twin' is already in the table");
  CHECK(loading.lines.empty());
}

TEST_CASE("plugin loader: of another minor version: one that can do without newer members, and one without a minor number") {
  Loading loading;
  CHECK_FALSE(loading.server.load_plugin(plugin_file("newer_modest")));
  CHECK_FALSE(loading.server.load_plugin(plugin_file("older")));
  CHECK(loading.server.protocols() == std::vector<std::string>{"modest", "older"});
  CHECK(loading.lines.empty());
}

TEST_CASE("plugin loader: names that are taken, all or none") {
  Loading loading;
  REQUIRE_FALSE(loading.server.load_plugin(plugin_file("first")));
  CHECK(loading.server.load_plugin(plugin_file("first")).message ==
        "plugin '" + plugin_file("first") + "' is refused: protocol 'shared-name' is already in the table");
  CHECK(loading.server.load_plugin(plugin_file("second")).message ==
        "plugin '" + plugin_file("second") + "' is refused: protocol 'shared-name' is already in the table");
  CHECK(loading.server.protocols() == std::vector<std::string>{"shared-name"});
  Loading other_way_round;
  REQUIRE_FALSE(other_way_round.server.load_plugin(plugin_file("second")));
  CHECK(other_way_round.server.load_plugin(plugin_file("first")));
  CHECK(other_way_round.server.protocols() == std::vector<std::string>{"second-name", "shared-name"});
}

TEST_CASE("plugin loader: a folder: in the order of names, the refused logged, the others loaded") {
  const Folder folder;
  folder.link("second", "b.so");
  folder.link("first", "c.so");
  folder.link("other_abi", "a.so");
  folder.write("readme.txt", "not looked at");
  folder.write("d.so.bak", "not looked at");
  folder.write("e.so", "not an object");
  folder.write("f.so", content_of(plugin_file("first")).substr(0, 3000));
  Loading loading;
  CHECK_FALSE(loading.server.load_plugins(folder.path));
  CHECK(loading.server.protocols() == std::vector<std::string>{"second-name", "shared-name"});
  REQUIRE(loading.lines.size() == 4);
  CHECK(loading.lines[0].starts_with("error: plugin '" + (folder.path / "a.so").string() + "' is refused: it was built for ABI"));
  CHECK(loading.lines[1] ==
        "error: plugin '" + (folder.path / "c.so").string() + "' is refused: protocol 'shared-name' is already in the table");
  CHECK(loading.lines[2].starts_with("error: plugin '" + (folder.path / "e.so").string() + "' is refused: it cannot be loaded: "));
  CHECK(loading.lines[3].ends_with("/f.so' is refused: it cannot be loaded: the file is cut short: copy or build it again"));
}

TEST_CASE("plugin loader: folders that cannot be read") {
  const Folder folder;
  Loading loading;
  const std::string missing = folder.path / "missing";
  CHECK(loading.server.load_plugins(missing).message ==
        "cannot look for plugins in '" + missing + "': No such file or directory; name a folder that can be read");
  const std::string file = folder.write("file", "");
  CHECK(loading.server.load_plugins(file).message ==
        "cannot look for plugins in '" + file + "': Not a directory; name a folder that can be read");
  CHECK_FALSE(loading.server.load_plugins(folder.path));  // an empty one is no fault
  CHECK(loading.lines.empty());
}

TEST_CASE("plugin loader: a name without a slash is a file here, not one of the system's libraries") {
  Loading loading;
  CHECK(loading.reason("libc.so.6").starts_with("it cannot be loaded: "));
  const fs::path before = fs::current_path();
  fs::current_path(WHARF_TEST_PLUGINS);
  CHECK_FALSE(loading.server.load_plugin("faulty_first.so"));
  fs::current_path(before);
}

TEST_CASE("plugin loader: the result is the plugin's own table") {
  const auto plugin = server::load_plugin(plugin_file("second"));
  REQUIRE(plugin);
  CHECK(plugin->plugin->row_count == 2);
  CHECK(plugin->plugin->rows[0]->name == std::string("second-name"));
  CHECK(plugin->warning.empty());
}

TEST_CASE("plugin loader: which names are the language's own, and which are somebody's") {
  for (const char* name :
       {"_ZNSt6vectorIiSaIiEE9push_backERKi", "_ZSt4moveIRSaIcEEONSt16remove_referenceIT_E4typeEOS3_",
        "_ZNKSt17basic_string_viewIcSt11char_traitsIcEE4dataEv", "_ZnwmPv", "_ZN9__gnu_cxx11char_traitsIcE2eqERKcS3_",
        "_ZZNSt8__detail18__to_chars_10_implIjEEvPcjT_E8__digits", "_init", "_end", "_ZTISt9exception",
        "_ZNSt7__cxx1112basic_stringIcSt11char_traitsIcESaIcEED1Ev", "_ZTv0_n24_NSt13basic_ostreamIwSt11char_traitsIwEED1Ev"})
    CHECK_MESSAGE(server::is_of_the_language(name), name);
  for (const char* name : {"handle_request", "_ZN3Api7requestEN5wharf8ExchangeE", "_ZNSt6vectorI3ApiSaIS0_EE9push_backERKS0_",
                           "_ZZN3Api7requestEN5wharf8ExchangeEE5count", "_ZTI3Api", "_ZN3ApiD1Ev", "_ZN3Api6SharedD1Ev",
                           "_ZGVN3Api5countE", "_Z7std_likev", "_Znonsense"})
    CHECK_MESSAGE(!server::is_of_the_language(name), name);
}

TEST_CASE("plugin loader: WHARF_HAS goes by the size that the other side says") {
  wharf_services services{};
  services.size = offsetof(wharf_services, http);
  CHECK(WHARF_HAS(&services, resume));
  CHECK_FALSE(WHARF_HAS(&services, http));
  services.size += sizeof services.http - 1;
  CHECK_FALSE(WHARF_HAS(&services, http));
  services.size += 1;
  CHECK(WHARF_HAS(&services, http));
}

TEST_CASE("plugin loader: a member that is appended to the ABI raises its minor number") {
  // If this fails: add one to WHARF_ABI_MINOR, write "Since 1.N." at what is new, and put the new numbers here.
  if constexpr (sizeof(void*) == 8) {
    CHECK(WHARF_ABI_MINOR == 5);
    CHECK(sizeof(wharf_plugin) == 32);
    CHECK(sizeof(wharf_row) == 192);
    CHECK(sizeof(wharf_http_row) == 72);
    CHECK(sizeof(wharf_raw) == 72);
    CHECK(sizeof(wharf_services) == 200);
    CHECK(sizeof(wharf_address) == 56);
    CHECK(sizeof(wharf_http_services) == 384);
    CHECK(sizeof(wharf_server_statistics) == 120);
    CHECK(sizeof(wharf_row_statistics) == 48);
  }
}
