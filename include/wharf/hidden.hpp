#pragma once
/// Why two plugins do not mix. Nothing here is for authors.
///
/// All that the headers for plugins define is inline, so each plugin has a copy of its own, and must use that: the copy of another
/// plugin may be for other classes of the same names, or of another version. The dynamic linker would merge the copies, those of
/// variables even in spite of RTLD_LOCAL. So those headers define everything in `namespace WHARF_HIDDEN wharf`. With GCC that does
/// not reach variable templates, which need a WHARF_HIDDEN of their own, and nothing reaches variables that are local to a
/// function: do without those.

#if defined(__GNUC__)
#define WHARF_HIDDEN [[gnu::visibility("hidden")]]
#else
#define WHARF_HIDDEN
#endif

// GCC would warn that each author's class with a wharf::Peer in it is more visible than its member. That does no harm.
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wattributes"
#endif
