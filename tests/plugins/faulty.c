/* A plugin with a fault, chosen by a macro; see meson.build. Each must be refused with the file's name and the reason. */
#include "wharf/abi.h"

#ifdef NO_SYMBOL
int not_a_wharf_plugin = 1;
#else

#ifdef UNRESOLVED
extern int nobody_defines_this(void* shared, wharf_scope* scope);
#define START nobody_defines_this
#else
#define START 0
#endif

#ifndef NAME
#define NAME "faulty"
#endif
static const wharf_row row = {.size = sizeof(wharf_row), .name = NAME, .start = START};

#ifdef SECOND_NAME
static const wharf_row second = {.size = sizeof(wharf_row), .name = SECOND_NAME};
static const wharf_row* const rows[] = {&row, &second};
#elif defined(NULL_ROW)
static const wharf_row* const rows[] = {&row, NULL};
#else
static const wharf_row* const rows[] = {&row};
#endif

#ifndef ABI
#define ABI WHARF_ABI_NUMBER
#endif
#ifndef SIZE
#define SIZE sizeof(wharf_plugin)
#endif
#ifndef COUNT
#define COUNT (sizeof rows / sizeof rows[0])
#endif
#ifndef MINOR
#define MINOR WHARF_ABI_MINOR
#endif
#ifndef LEAST
#define LEAST WHARF_ABI_LEAST
#endif
extern WHARF_VISIBLE const wharf_plugin wharf_plugin_export;
const wharf_plugin wharf_plugin_export = {ABI, COUNT, SIZE, rows, MINOR, LEAST};
#endif
