#include <wharf/standard_streams.hpp>

// A library that is loaded by a program for a while, with Wharf behind it.
extern "C" void speak() { wharf::print_line(wharf::StandardStream::error, "read by nobody"); }
