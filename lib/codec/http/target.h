#pragma once
#include <optional>
#include <string>
#include <string_view>

namespace wharf::codec {

/// A request target cut into its parts (RFC 9112 section 3.2, RFC 3986 section 3). Views are into the target given.
struct Target {
  std::string_view path;       ///< still percent-encoded, starts with '/'; a constant if an absolute form has no path
  std::string_view query;      ///< still percent-encoded, without '?'; empty if there is none
  std::string_view authority;  ///< of an absolute form; otherwise empty
};

/// Cuts a target in origin form, or in absolute form (http or https; an empty path becomes "/"), into path and query.
/// A fragment, white space or any other form: nullopt.
std::optional<Target> split_target(std::string_view target);

/// The same without a check of the characters and of the authority, for those who have checked them. Any other form: no path.
Target cut_target(std::string_view target);

/// `uri-host [":" port]`, as in a Host field or with CONNECT (RFC 9110 section 7.2, RFC 3986 section 3.2), cut in two.
struct Authority {
  std::string_view host;  ///< not empty; an IPv6 address keeps its brackets
  std::string_view port;  ///< digits, at most 65535; empty if there is none

  /// Without the brackets.
  [[nodiscard]] std::string_view bare_host() const { return host.front() == '[' ? host.substr(1, host.size() - 2) : host; }
};

/// nullopt for anything else, user information included.
std::optional<Authority> split_authority(std::string_view text);

/// An authority without its port; a text that is no authority is returned as it is.
std::string_view host_of(std::string_view authority);

/// The default port of a scheme: "80" for http, "443" for https; empty for any other scheme. In lower case.
std::string_view usual_port(std::string_view scheme);

/// The scheme of a target in absolute form, in lower case: "http" or "https"; empty for any other form.
std::string_view target_scheme(std::string_view target);

/// The authority of a target in absolute form (http or https), not checked; empty for any other form.
std::string_view target_authority(std::string_view target);

/// Percent-decodes exactly once. nullopt for a broken escape, or one that stands for NUL.
std::optional<std::string> percent_decode(std::string_view text);

/// A decoded path, percent-encoded for a Location: all except slashes and unreserved characters (RFC 3986 section 2.3).
std::string percent_encode_path(std::string_view decoded);

/// A decoded path as a relative file name below a folder: "" for "/", "a/b" for "/a/b". nullopt for anything that could leave the
/// folder or name something hidden: a segment that starts with a dot, a backslash, a NUL, an empty segment within ("//").
/// A trailing slash is kept.
std::optional<std::string> safe_relative_path(std::string_view decoded_path);

}  // namespace wharf::codec
