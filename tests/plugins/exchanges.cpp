#include "exchanges.h"

#include <algorithm>
#include <cctype>
#include <stdexcept>

namespace tests {

namespace {

wharf_text text(std::string_view view) { return {view.data(), view.size()}; }

std::unique_ptr<std::max_align_t[]> memory(std::size_t size) {
  return std::make_unique<std::max_align_t[]>(size / sizeof(std::max_align_t) + 1);
}

TestExchange& self(wharf_exchange* exchange) { return static_cast<TestExchange&>(*exchange); }
const TestExchange& self(const wharf_exchange* exchange) { return static_cast<const TestExchange&>(*exchange); }
const TestExchange& self(const wharf_request* request) { return static_cast<const TestExchange&>(*request); }
TestPipe& self(wharf_pipe* pipe) { return static_cast<TestPipe&>(*pipe); }
StartedRow& self(const wharf_scope* scope) { return const_cast<StartedRow&>(static_cast<const StartedRow&>(*scope)); }

bool equal_ignoring_case(std::string_view left, std::string_view right) {
  const auto same = [](unsigned char a, unsigned char b) { return std::tolower(a) == std::tolower(b); };
  return std::equal(left.begin(), left.end(), right.begin(), right.end(), same);
}

std::string_view path_of(const std::string& target) { return std::string_view(target).substr(0, target.find('?')); }

}  // namespace

std::optional<std::string> find(const Fields& fields, std::string_view name) {
  for (const auto& [key, value] : fields)
    if (equal_ignoring_case(key, name)) return value;
  return std::nullopt;
}

// NOLINTBEGIN: a table of functions as C wants them
struct HttpServices {
  static wharf_text method(const wharf_request* request) { return text(self(request).asked.method); }
  static wharf_text target(const wharf_request* request) { return text(self(request).asked.target); }
  static wharf_text version(const wharf_request*) { return text("HTTP/1.1"); }
  static uint64_t body_length(const wharf_request* request) {
    const Fields& fields = self(request).asked.fields;
    if (find(fields, "transfer-encoding")) return WHARF_UNKNOWN_LENGTH;
    return std::stoull(find(fields, "content-length").value_or("0"));
  }
  static wharf_text path(const wharf_request* request) { return text(path_of(self(request).asked.target)); }
  static wharf_text path_below_mount(const wharf_request* request) {
    const std::string_view path = path_of(self(request).asked.target);
    return text(path.size() > 7 ? path.substr(6) : std::string_view("/"));
  }
  static wharf_text query(const wharf_request* request) {
    const std::string& target = self(request).asked.target;
    return text(std::string_view(target).substr(std::min(path_of(target).size() + 1, target.size())));
  }
  static wharf_text field(const wharf_request* request, const char* name) {
    for (const auto& [key, value] : self(request).asked.fields)
      if (equal_ignoring_case(key, name)) return text(value);
    return {};
  }
  static wharf_field field_at(const wharf_request* request, size_t index) {
    const Fields& fields = self(request).asked.fields;
    if (index >= fields.size()) return {};
    return {text(fields[index].first), text(fields[index].second)};
  }
  static wharf_text address(const wharf_request*) { return text("192.0.2.1:4711"); }

  static const wharf_request* request(const wharf_exchange* exchange) { return &self(exchange); }
  static wharf_scope* scope(const wharf_exchange* exchange) { return &self(exchange).row; }
  static wharf_text body(const wharf_exchange* exchange) { return text(self(exchange).whole_body_); }
  static int add_field(wharf_exchange* exchange, const char* name, size_t name_size, const char* value, size_t value_size) {
    self(exchange).fields.emplace_back(std::string(name, name_size), std::string(value, value_size));
    return 0;
  }
  static wharf_flow respond(wharf_exchange* exchange, int status, const char* data, size_t size) {
    TestExchange& my = self(exchange);
    if (my.answered()) throw std::logic_error("answered twice");
    my.status = status;
    my.answer.assign(data != nullptr ? data : "", size);
    my.complete = true;
    return WHARF_GO;
  }
  static wharf_flow begin(wharf_exchange* exchange, int status, uint64_t length) {
    TestExchange& my = self(exchange);
    if (my.answered()) throw std::logic_error("answered twice");
    my.status = status;
    if (length != WHARF_UNKNOWN_LENGTH) my.length = length;
    return WHARF_GO;
  }
  static wharf_flow write(wharf_exchange* exchange, const char* data, size_t size) {
    self(exchange).answer.append(data, size);
    return self(exchange).flow;
  }
  static void end(wharf_exchange* exchange) { self(exchange).complete = true; }
  static void fail(wharf_exchange* exchange) { self(exchange).failed = true; }
  static void body_pause(wharf_exchange* exchange) { self(exchange).paused = true; }
  static void body_resume(wharf_exchange* exchange) { self(exchange).paused = false; }
  static int upgrade(wharf_exchange* exchange, const char* token, const wharf_raw* raw, void* argument) {
    TestExchange& my = self(exchange);
    if (find(my.asked.fields, "upgrade") != std::optional<std::string>(token)) return 1;
    my.status = 101;
    my.complete = true;
    my.pipe = std::make_unique<TestPipe>(*raw, my.row, argument);
    return 0;
  }

  static wharf_flow pipe_write(wharf_pipe* pipe, const char* data, size_t size) {
    if (self(pipe).output_over || self(pipe).closed) return WHARF_CLOSED;
    self(pipe).output.append(data, size);
    return WHARF_GO;
  }
  static void pipe_cork(wharf_pipe* pipe) { self(pipe).history += 'c'; }
  static void pipe_uncork(wharf_pipe* pipe) { self(pipe).history += 'u'; }
  static void pipe_end(wharf_pipe* pipe) {
    self(pipe).history += 'e';
    self(pipe).output_over = true;
  }
  static void pipe_close(wharf_pipe* pipe) {
    self(pipe).history += 'x';
    self(pipe).closed = true;
  }
  static void pipe_abort(wharf_pipe* pipe) {
    self(pipe).history += 'a';
    self(pipe).closed = true;
  }
  static wharf_scope* pipe_scope(const wharf_pipe* pipe) { return &static_cast<const TestPipe*>(pipe)->row; }

  static void server_statistics(const wharf_scope*, wharf_server_statistics* statistics) {
    *statistics = {sizeof *statistics, 3, 17, 25, 61'000, 2, 9, 1, 4, 2, 7, 8, 6, 5, 11};
  }
  static int row_statistics(const wharf_scope*, size_t index, wharf_row_statistics* statistics) {
    if (index > 1) return 1;
    *statistics = {sizeof *statistics, text(index == 0 ? "one" : ""), 1 + index, 10 + index, 100 + index};
    return 0;
  }

  static const char* option(const wharf_scope* scope, const char* name) {
    const auto found = self(scope).options.find(name);
    return found != self(scope).options.end() ? found->second.c_str() : nullptr;
  }
  static void log(const wharf_scope* scope, wharf_level, const char* data, size_t size) {
    self(scope).log.emplace_back(data, size);
  }
  static uint64_t now(const wharf_scope*) { return 0; }
  static wharf_text virtual_host(const wharf_scope*) { return text("host"); }

  static const wharf_services& table() {
    static const wharf_http_services http = [] {
      wharf_http_services table{};
      table.size = sizeof table;
      table.method = method;
      table.target = target;
      table.version = version;
      table.body_length = body_length;
      table.path_below_mount = path_below_mount;
      table.field_at = field_at;
      table.request = request;
      table.scope = scope;
      table.body = body;
      table.add_field = add_field;
      table.respond = respond;
      table.begin = begin;
      table.write = write;
      table.end = end;
      table.fail = fail;
      table.body_pause = body_pause;
      table.body_resume = body_resume;
      table.upgrade = upgrade;
      table.pipe_write = pipe_write;
      table.pipe_cork = pipe_cork;
      table.pipe_uncork = pipe_uncork;
      table.pipe_end = pipe_end;
      table.pipe_close = pipe_close;
      table.pipe_abort = pipe_abort;
      table.pipe_scope = pipe_scope;
      table.server_statistics = server_statistics;
      table.row_statistics = row_statistics;
      return table;
    }();
    static const wharf_services services = [] {
      wharf_services table{};
      table.size = sizeof table;
      table.path = path;
      table.query = query;
      table.field = field;
      table.address = address;
      table.option = option;
      table.log = log;
      table.now = now;
      table.virtual_host = virtual_host;
      table.http = &http;
      return table;
    }();
    return services;
  }
};
// NOLINTEND

StartedRow::StartedRow(const wharf_row& its_row, wharf::Options its_options)
    : wharf_scope{&HttpServices::table()}, row(its_row), options(std::move(its_options)), state_(memory(row.shared_state_size)) {
  if (row.start != nullptr && row.start(state_.get(), this) != 0)
    throw std::runtime_error(log.empty() ? "the row does not start" : log.back());
}
StartedRow::~StartedRow() {
  if (row.stop != nullptr) row.stop(state_.get());
}

TestPipe::TestPipe(const wharf_raw& its_raw, StartedRow& its_row, void* argument)
    : wharf_pipe{&HttpServices::table()}, row(its_row), raw_(its_raw), state_(memory(its_raw.state_size)) {
  if (raw_.open(state_.get(), this, argument) != 0) throw std::runtime_error("the pipe does not open");
}
TestPipe::~TestPipe() {
  if (raw_.closing != nullptr) raw_.closing(state_.get());
  raw_.destroy(state_.get());
}
void TestPipe::data(std::string_view bytes) {
  const std::string own(bytes);  // a copy, so that a sanitizer notices reads beyond it and views that are kept
  if (!closed) raw_.data(state_.get(), own.data(), own.size());
}
void TestPipe::ended() {
  if (!closed) raw_.ended(state_.get());
}

TestExchange::TestExchange(StartedRow& its_row, Asked its_request)
    : wharf_exchange{&HttpServices::table()},
      wharf_request{&HttpServices::table()},
      row(its_row),
      asked(std::move(its_request)),
      state_(memory(its_row.row.http->state_size)) {
  if (row.row.http->body != nullptr) begin();
}
TestExchange::~TestExchange() {
  if (!begun_) return;
  if (row.row.http->closing != nullptr) row.row.http->closing(state(), complete ? 1 : 0);
  if (row.row.http->destroy != nullptr) row.row.http->destroy(state());
}
void TestExchange::begin() {
  begun_ = row.row.http->request(state(), row.shared(), this) == 0;
  failed = !begun_;
}
void TestExchange::body(std::string_view piece) {
  if (complete) return;
  const std::string own(piece);
  if (row.row.http->body != nullptr) row.row.http->body(state(), own.data(), own.size());
  else whole_body_ += own;
}
void TestExchange::body_end() {
  if (complete) return;
  if (row.row.http->body == nullptr) begin();
  else if (row.row.http->body_end != nullptr) row.row.http->body_end(state());
}
void TestExchange::drained() { row.row.http->drained(state()); }
void TestExchange::body_in_pieces(std::string_view whole, std::size_t size) {
  for (std::size_t at = 0; at < whole.size(); at += size) body(whole.substr(at, size));
  body_end();
}

}  // namespace tests
