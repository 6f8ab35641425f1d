/* SPDX-License-Identifier: MIT */
#include "CTOML.h"

/* What toml++ 3.3 takes for granted of a text, and should not: that something follows `a = `. */
struct wrong_assumption {};
static constexpr void assume(bool is_so) {
  if (!is_so) throw wrong_assumption();
}
#define TOML_ASSERT(expression) assume(static_cast<bool>(expression))
#undef NDEBUG

#define TOML_EXCEPTIONS 0
#define TOML_ENABLE_FORMATTERS 0
#include <toml++/toml.h>

#include <algorithm>
#include <deque>
#include <memory>
#include <new>
#include <sstream>
#include <string>
#include <tuple>
#include <vector>

struct wpt_document {
  toml::table root;
  std::vector<wpt_value> values;
  std::deque<std::string> times;
  std::string error;
  uint32_t error_line = 0;

  void add(std::string_view key, uint32_t line, const toml::node &node) {
    wpt_value value = {};
    value.key = key.data();
    value.key_size = key.size();
    value.line = line;
    node.visit([&](const auto &it) { describe(it, value); });
    values.push_back(value);
    if (const toml::array *list = node.as_array())
      for (const toml::node &item : *list) add({}, item.source().begin.line, item);
    if (const toml::table *table = node.as_table()) add_members(*table);
  }

private:
  void add_members(const toml::table &table) {
    std::vector<std::pair<const toml::key *, const toml::node *>> members;
    for (const auto &[key, node] : table) members.emplace_back(&key, &node);
    std::sort(members.begin(), members.end(), [](const auto &a, const auto &b) {
      const auto &x = a.first->source().begin, &y = b.first->source().begin;
      return std::tie(x.line, x.column) < std::tie(y.line, y.column);
    });
    for (const auto &[key, node] : members) add(key->str(), key->source().begin.line, *node);
  }

  void describe(const toml::table &it, wpt_value &value) {
    value.kind = WPT_TABLE;
    value.count = it.size();
  }
  void describe(const toml::array &it, wpt_value &value) {
    value.kind = WPT_LIST;
    value.count = it.size();
  }
  void describe(const toml::value<std::string> &it, wpt_value &value) {
    set(WPT_TEXT, it.get(), value);
  }
  void describe(const toml::value<int64_t> &it, wpt_value &value) {
    value.kind = WPT_INTEGER;
    value.integer = it.get();
  }
  void describe(const toml::value<double> &it, wpt_value &value) {
    value.kind = WPT_NUMBER;
    value.number = it.get();
  }
  void describe(const toml::value<bool> &it, wpt_value &value) {
    value.kind = WPT_BOOLEAN;
    value.integer = it.get();
  }
  template <typename Time> void describe(const toml::value<Time> &it, wpt_value &value) {
    std::ostringstream text;
    text << it.get();
    set(WPT_TIME, times.emplace_back(text.str()), value);
  }

  static void set(wpt_kind kind, const std::string &text, wpt_value &value) {
    value.kind = kind;
    value.text = text.data();
    value.text_size = text.size();
  }
};

static bool parses(std::string_view text) try {
  (void)toml::parse(text);
  return true;
} catch (wrong_assumption) {
  return false;
}

/* The first line with which the text before it makes the parser stop. */
static uint32_t wrong_line(std::string_view text) {
  std::vector<size_t> ends;
  for (size_t i = 0; i < text.size(); i++)
    if (text[i] == '\n') ends.push_back(i + 1);
  ends.push_back(text.size());
  return uint32_t(1 + (std::partition_point(ends.begin(), ends.end(),
                                            [&](size_t end) { return parses(text.substr(0, end)); })
                       - ends.begin()));
}

wpt_document *wpt_parse(const char *bytes, size_t size) try {
  std::string_view text(bytes, size);
  auto document = std::make_unique<wpt_document>();
  try {
    toml::parse_result result = toml::parse(text);
    if (result) {
      document->root = std::move(result).table();
      document->add({}, 1, document->root);
    } else {
      document->error = result.error().description();
      document->error_line = result.error().source().begin.line;
    }
  } catch (wrong_assumption) {
    document->error = "a name or a value is missing";
    document->error_line = wrong_line(text);
  }
  return document.release();
} catch (const std::bad_alloc &) {
  return nullptr;
}

void wpt_free(wpt_document *document) { delete document; }

const char *wpt_error(const wpt_document *document, uint32_t *line) {
  *line = document->error_line;
  return document->error_line ? document->error.c_str() : nullptr;
}

const wpt_value *wpt_values(const wpt_document *document) { return document->values.data(); }
