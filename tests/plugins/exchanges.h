#pragma once
/// A row's requests without a server: the objects that replace it show what the row did, and decide what the row's calls return.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "wharf/server.hpp"

namespace tests {

using Fields = std::vector<std::pair<std::string, std::string>>;

/// The first value of that name, ignoring case.
std::optional<std::string> find(const Fields& fields, std::string_view name);

/// A row with its shared state, as one virtual host and loop have it. Throws std::runtime_error if it does not start.
class StartedRow : public wharf_scope {
 public:
  explicit StartedRow(const wharf_row& row, wharf::Options options = {});
  ~StartedRow();
  StartedRow(const StartedRow&) = delete;
  StartedRow& operator=(const StartedRow&) = delete;

  const wharf_row& row;
  const wharf::Options options;
  std::vector<std::string> log;

  [[nodiscard]] void* shared() { return state_.get(); }

 private:
  std::unique_ptr<std::max_align_t[]> state_;
};

struct Asked {
  std::string method = "GET";
  std::string target = "/mount/";  ///< below a mount /mount/
  Fields fields = {};
};

/// A connection that left HTTP.
class TestPipe : public wharf_pipe {
 public:
  TestPipe(const wharf_raw& its_raw, StartedRow& its_row, void* argument);
  ~TestPipe();
  TestPipe(const TestPipe&) = delete;
  TestPipe& operator=(const TestPipe&) = delete;

  void data(std::string_view bytes);
  void ended();

  StartedRow& row;
  std::string output;   ///< the bytes behind `corked_at` would still wait
  std::string history;  ///< one letter for each call: c cork, u uncork, e end, x close, a abort
  bool output_over = false;
  bool closed = false;

 private:
  const wharf_raw& raw_;
  std::unique_ptr<std::max_align_t[]> state_;
};

/// One request and its response.
class TestExchange : public wharf_exchange, public wharf_request {
 public:
  TestExchange(StartedRow& its_row, Asked its_request);
  ~TestExchange();
  TestExchange(const TestExchange&) = delete;
  TestExchange& operator=(const TestExchange&) = delete;

  /// A piece of the body, if the row still wants it.
  void body(std::string_view piece);
  void body_end();
  void drained();
  /// The whole body, in pieces of that many bytes.
  void body_in_pieces(std::string_view whole, std::size_t size);

  [[nodiscard]] bool answered() const { return status != 0; }
  [[nodiscard]] std::optional<std::string> answer_field(std::string_view name) const { return find(fields, name); }

  StartedRow& row;
  const Asked asked;
  Fields fields;  ///< of the response
  int status = 0;
  std::string answer;
  std::optional<std::uint64_t> length;  ///< the argument of begin()
  bool complete = false;
  bool paused = false;
  bool failed = false;
  wharf_flow flow = WHARF_GO;  ///< what write() returns
  std::unique_ptr<TestPipe> pipe;

 private:
  void begin();
  [[nodiscard]] void* state() { return state_.get(); }

  std::unique_ptr<std::max_align_t[]> state_;
  std::string whole_body_;
  bool begun_ = false;

  friend struct HttpServices;
};

}  // namespace tests
