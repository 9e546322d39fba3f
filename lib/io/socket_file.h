#pragma once
#include <sys/stat.h>
#include <sys/types.h>

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/result.h"
#include "io/address.h"

namespace wharf::io {

/// Who may use the file of a unix socket.
struct SocketFileAccess {
  mode_t mode = 0660;
  std::optional<uid_t> owner{};  ///< nothing: as the system has it
  std::optional<gid_t> group{};

  /// From names or numbers; an empty text is nothing. The error is a few words.
  static base::Result<SocketFileAccess, std::string> of(unsigned mode, const std::string& owner, const std::string& group);
};

/// The file of a unix socket that listens. It is removed with this object, unless another has replaced it by then.
class SocketFile {
 public:
  struct Fault {
    int error = 0;                 ///< of errno
    std::string_view advice = {};  ///< follows the error; empty: the error says it all
  };

  /// Has the socket listen at that path. A socket file that was left behind, with nobody listening, is replaced; nothing else is.
  /// Nobody can connect before mode, owner and group are right.
  static base::Result<std::unique_ptr<const SocketFile>, Fault> listen(int socket, const Address& address, int backlog,
                                                                       const SocketFileAccess& access);
  /// One that another process has listened at, and removes until claim().
  static std::unique_ptr<const SocketFile> of_other_process(std::string path);
  ~SocketFile();
  SocketFile(const SocketFile&) = delete;
  SocketFile& operator=(const SocketFile&) = delete;

  /// Whether this process removes it. From any thread.
  void claim() const { claimed_.store(true); }
  void leave() const { claimed_.store(false); }
  /// Gives the file that other access, unless another has replaced it; error 0: that is done.
  [[nodiscard]] Fault change(const SocketFileAccess& access) const;
  /// No other has replaced it, and it has not been removed.
  [[nodiscard]] bool is_there() const;

 private:
  explicit SocketFile(std::string path) : path_(std::move(path)) {}
  [[nodiscard]] Fault begin(const SocketFileAccess& access);

  std::string path_;
  struct stat file_ {};
  bool known_ = false;
  mutable std::atomic<bool> claimed_{true};
};

}  // namespace wharf::io
