#ifndef WHARF_TESTS_PRELUDE_H
#define WHARF_TESTS_PRELUDE_H

// Headers that most tests include, compiled once for each program of tests (unless -Db_pch=false). A test still includes what it
// uses.
#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <random>
#include <set>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#endif
