// SPDX-License-Identifier: MIT
// A thin C++ face for workpool.h: handles that destroy themselves, lambdas as stages, errors as
// exceptions. Take it as it is, or as an idea.
#pragma once
#include <workpool.h>

#include <exception>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>

namespace wp {

struct error : std::runtime_error {
  int32_t code;
  explicit error(int32_t status) : runtime_error(wp_last_error_text()), code(status) {}
};

// Every status that is negative becomes an exception; the others are returned.
inline int32_t check(int32_t status) {
  if (status < 0) throw error(status);
  return status;
}

template <auto destroy>
struct destroyer {
  template <class T>
  void operator()(T *handle) const {
    destroy(handle);
  }
};
using pool = std::unique_ptr<wp_pool, destroyer<wp_pool_destroy>>;
using pipeline = std::unique_ptr<wp_pipeline, destroyer<wp_pipeline_destroy>>;
using reader = std::unique_ptr<wp_reader, destroyer<wp_reader_close>>;
using writer = std::unique_ptr<wp_writer, destroyer<wp_writer_close>>;
using recipe = std::unique_ptr<wp_recipe, destroyer<wp_recipe_destroy>>;

// make<pool>(wp_pool_create, options): calls a function whose last argument is the new handle.
template <class Handle, class Create, class... Arguments>
Handle make(Create create, Arguments... arguments) {
  typename Handle::pointer handle = nullptr;
  check(create(arguments..., &handle));
  return Handle(handle);
}

// Registers a lambda `int32_t (wp_block &)` by wp_pipeline_set_source, _add_stage or _set_sink. The
// pipeline owns a copy of it. What it throws is the error of its block: no exception may leave a
// callback.
template <class Register, class Function>
void add(const pipeline &to, Register where, const char *name, uint32_t kind, Function function) {
  auto context = std::make_unique<Function>(std::move(function));
  wp_stage_options options = WP_STAGE_OPTIONS_INIT;
  options.name = name;
  options.kind = kind;
  options.context = context.get();
  options.fn = [](void *context, wp_block *block, void *, const wp_call *) -> int32_t {
    try {
      return (*static_cast<Function *>(context))(*block);
    } catch (const std::exception &exception) {
      return wp_block_fail(block, WP_USER_CODE, exception.what());
    } catch (...) {
      return wp_block_fail(block, WP_USER_CODE, "unknown exception");
    }
  };
  options.destroy_context = [](void *context) { delete static_cast<Function *>(context); };
  check(where(to.get(), &options));
  context.release();  // the pipeline's from here on
}

}  // namespace wp
