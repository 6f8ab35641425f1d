// SPDX-License-Identifier: MIT
//
// workpool.hpp - libworkpool for C++17 and later: one header over workpool.h, in reading order.
//
//   1  Overview                4  Blocks and payloads      7  Readers and writers   10  Batches
//   2  Errors, time, bytes     5  Stages                   8  FASTQ: recipes
//   3  Pool and token          6  Pipelines                9  Jobs
//
// ===== 1 Overview ==============================================================================
//
//   #include <cstdio>
//   #include <workpool.hpp>
//
//   int main() {
//     workpool::Pool pool;
//     workpool::Pipeline pipeline(pool);
//     pipeline.source("count", [](workpool::Block &block) { return block.number() < 10; });
//     pipeline.stage("square", workpool::parallel, [](workpool::Block &block) {
//       block.meta(0) = block.number() * block.number();
//     });
//     pipeline.sink("print", [](workpool::Block &block) {
//       std::printf("%d\n", int(block.meta(0)));
//     });
//     pipeline.run();
//   }
//
// Compile with: c++ -std=c++17 program.cpp -lworkpool. What the words mean, and what is promised,
// is in workpool.h; here is what C++ adds:
//   handles     Pool, Token, Pipeline, Reader, Writer and Recipe are move-only. What one of them
//               uses lives as long as it does, in whatever order they go. A destructor ends what is
//               under way and never throws; close() or destroy() does the same and reports. After a
//               move the old one is good for nothing but to be destroyed or assigned to.
//   errors      a negative status is thrown as Error, with its text.
//   callbacks   are anything that can be called; the pipeline owns them. What a callback throws is
//               the error of its block, and is thrown again, the same object, to whoever waits for
//               the run: that of the lowest failing block, whatever the number of workers. No
//               exception crosses the C interface.
//   time        std::chrono durations; a negative one is as good as 0; `forever` is the default.
//   bytes       std::string, std::vector and the like: moved in they are kept until the block has
//               left; else they are copied.
//   threads     as the functions of workpool.h that are called; what is said to be so, any thread
//               may call at any time.
// It needs exceptions, but no run-time type information.
#ifndef WORKPOOL_HPP
#define WORKPOOL_HPP

#include <workpool.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <exception>
#include <functional>
#include <iterator>
#include <map>
#include <memory>
#include <mutex>
#include <new>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace workpool {

// ===== 2 Errors, time, bytes ===================================================================

// What the library could not do. A callback may throw it to fail with a code of its own.
class Error : public std::runtime_error {
 public:
  // status: WP_... ; text: empty is what the status means.
  explicit Error(int32_t status, const std::string &text = {})
      : std::runtime_error(text.empty() ? std::string(wp_status_text(status)) : text),
        status_(status) {}
  Error(int32_t status, const std::string &text, int system_error) : Error(status, text) {
    system_error_ = system_error;
  }
  Error(int32_t status, const std::string &text, uint64_t block, uint32_t stage)
      : Error(status, text) {
    if (block != UINT64_MAX) block_ = block;
    if (stage != UINT32_MAX) stage_ = stage;
  }

  // WP_... , or the code of a callback.
  int32_t status() const noexcept { return status_; }
  // Such as "WP_CLOSED"; never nullptr.
  const char *name() const noexcept { return wp_status_name(status_); }
  // What went wrong, and where; the same as what().
  const char *text() const noexcept { return what(); }
  // errno where the operating system refused, else 0.
  int system_error() const noexcept { return system_error_; }
  // The block and the stage (0 is the source) that failed, if the error is that of a run.
  std::optional<uint64_t> block() const noexcept { return block_; }
  std::optional<uint32_t> stage() const noexcept { return stage_; }

 private:
  int32_t status_;
  int system_error_ = 0;
  std::optional<uint64_t> block_;
  std::optional<uint32_t> stage_;
};

// How long a call may wait: any std::chrono duration. 0 and less only look; what is too long for
// 64 bits of nanoseconds waits for ever.
class Timeout {
 public:
  template <class Rep, class Period>
  constexpr Timeout(std::chrono::duration<Rep, Period> time) noexcept {
    using Nanoseconds = std::chrono::duration<long double, std::nano>;
    const long double count = std::chrono::duration_cast<Nanoseconds>(time).count();
    if (count >= 9.2e18L) {
      nanoseconds_ = -1;
    } else if (count > 0) {
      nanoseconds_ = static_cast<int64_t>(count);
    }
  }
  static constexpr Timeout forever() noexcept {
    Timeout timeout(std::chrono::nanoseconds(0));
    timeout.nanoseconds_ = -1;
    return timeout;
  }
  // As the C functions have it: negative is for ever.
  constexpr int64_t nanoseconds() const noexcept { return nanoseconds_; }

 private:
  int64_t nanoseconds_ = 0;
};

inline constexpr Timeout forever = Timeout::forever();

namespace detail {

[[noreturn]] inline void fail(int32_t status) {
  if (wp_last_error() != status) throw Error(status);
  throw Error(status, wp_last_error_text(), wp_last_error_errno());
}

inline int32_t check(int32_t status) {
  if (status < 0) fail(status);
  return status;
}

// The bytes of T lie at data(), size() elements of them.
template <class T, class = void>
struct has_bytes : std::false_type {};
template <class T>
using ElementOf = std::remove_reference_t<decltype(*std::declval<T &>().data())>;
template <class T>
struct has_bytes<T, std::void_t<ElementOf<const T>, decltype(std::declval<const T &>().size())>>
    : std::is_trivially_copyable<ElementOf<const T>> {};

// Whoever owns its elements lets go of its const when it is const itself; a view does not care.
template <class T, class = void>
struct owns_bytes : std::false_type {};
template <class T>
struct owns_bytes<T, std::enable_if_t<has_bytes<T>::value>>
    : std::bool_constant<!std::is_const_v<ElementOf<T>> && std::is_const_v<ElementOf<const T>>> {};

}  // namespace detail

// A view of bytes: of text, of (data, size), or of whatever has data() and size(), such as
// std::vector<int>. Keeps nothing alive.
struct Bytes {
  const void *data = nullptr;
  size_t size = 0;  // in bytes

  constexpr Bytes() noexcept = default;
  constexpr Bytes(const void *at, size_t bytes) noexcept : data(at), size(bytes) {}
  Bytes(const char *text) noexcept : data(text), size(std::strlen(text)) {}
  template <class Container, class = std::enable_if_t<detail::has_bytes<Container>::value>>
  Bytes(const Container &container) noexcept
      : data(container.data()), size(container.size() * sizeof(*container.data())) {}
};

// The version of the library that is loaded, such as "0.1.0"; with what was built in.
inline const char *version() noexcept { return wp_version_string(); }
inline const char *build_info() noexcept { return wp_build_info(); }
// WP_VERSION_NUMBER of it.
inline int32_t version_number() noexcept { return wp_version_number(); }
// CPUs this process may use; index of the worker that this thread is, or -1.
inline uint32_t usable_cpus() noexcept { return wp_usable_cpus(); }
inline int32_t worker_index() noexcept { return wp_worker_index(); }

// ===== 3 Pool and token ========================================================================

// PoolOptions().workers(4).name_prefix("trim"); what is not set is the default.
class PoolOptions {
 public:
  // 1-1024; 0: usable_cpus().
  PoolOptions &workers(uint32_t count) {
    native_.workers = count;
    return *this;
  }
  // Up to so many Pool::set_workers may ask for; 0: workers.
  PoolOptions &max_workers(uint32_t count) {
    native_.max_workers = count;
    return *this;
  }
  // How many of the workers have no thread of their own: seats for threads of the host, which take
  // them in calls that wait, and in Pool::run_worker.
  PoolOptions &host_workers(uint32_t count) {
    native_.host_workers = count;
    return *this;
  }
  // 0-1024: up to so many further workers work while others sit in stages that may_block().
  PoolOptions &blocking_extra(uint32_t count) {
    native_.blocking_extra = count;
    return *this;
  }
  // Go on with the threads that could be created.
  PoolOptions &allow_fewer_workers(bool yes = true) {
    native_.flags = yes ? native_.flags | WP_POOL_ALLOW_FEWER_WORKERS
                        : native_.flags & ~WP_POOL_ALLOW_FEWER_WORKERS;
    return *this;
  }
  // Bytes; 0: the system's default.
  PoolOptions &stack_size(uint64_t bytes) {
    native_.stack_size = bytes;
    return *this;
  }
  // Threads are named prefix-index, cut to 15 bytes.
  PoolOptions &name_prefix(std::string prefix) {
    name_prefix_ = std::move(prefix);
    return *this;
  }
  // Called on each worker thread when it begins, and before it ends. Pool::close throws again what
  // the first of them that failed has thrown.
  PoolOptions &on_thread_start(std::function<void(uint32_t worker)> function) {
    start_ = std::move(function);
    return *this;
  }
  PoolOptions &on_thread_stop(std::function<void(uint32_t worker)> function) {
    stop_ = std::move(function);
    return *this;
  }

 private:
  friend class Pool;
  wp_pool_options native_ = WP_POOL_OPTIONS_INIT;
  std::optional<std::string> name_prefix_;
  std::function<void(uint32_t)> start_, stop_;
};

namespace detail {

// The first exception of callbacks that nobody waits for, until somebody asks.
struct FirstFailure {
  std::mutex mutex;
  std::exception_ptr exception;

  void keep() noexcept {
    const std::lock_guard<std::mutex> lock(mutex);
    if (!exception) exception = std::current_exception();
  }
  void rethrow() {
    std::exception_ptr first;
    {
      const std::lock_guard<std::mutex> lock(mutex);
      std::swap(first, exception);
    }
    if (first) std::rethrow_exception(first);
  }
};

struct PoolHooks {
  std::function<void(uint32_t)> start, stop;
  std::shared_ptr<FirstFailure> failure;

  static void call(const std::function<void(uint32_t)> &function, uint32_t worker,
                   FirstFailure &failure) noexcept {
    try {
      if (function) function(worker);
    } catch (...) {
      failure.keep();
    }
  }
};

// A native object that goes when the last C++ object that needs it goes.
template <class T, auto destroy>
class Owner {
 public:
  explicit Owner(T *handle, std::shared_ptr<void> keeps = nullptr) noexcept
      : handle_(handle), keeps_(std::move(keeps)) {}
  Owner(const Owner &) = delete;
  Owner &operator=(const Owner &) = delete;
  // Busy it can only be in a callback of its own, where nothing can be freed: then it stays.
  ~Owner() { static_cast<void>(destroy(handle_)); }

  T *handle() const noexcept { return handle_; }
  // Destroys it now.
  int32_t close() noexcept {
    const int32_t status = destroy(handle_);
    if (status >= 0) handle_ = nullptr;
    return status;
  }

 private:
  T *handle_;
  std::shared_ptr<void> keeps_;
};

using PoolOwner = Owner<wp_pool, wp_pool_destroy>;
using TokenOwner = Owner<wp_token, wp_token_destroy>;
using ReaderOwner = Owner<wp_reader, wp_reader_close>;
using WriterOwner = Owner<wp_writer, wp_writer_close>;

template <class OwnerType, class T>
std::shared_ptr<OwnerType> own(T *handle, std::shared_ptr<void> keeps = nullptr) {
  try {
    return std::make_shared<OwnerType>(handle, std::move(keeps));
  } catch (...) {
    const OwnerType owner(handle);  // no memory for the owner: give the object back
    throw;
  }
}

// What `write`, one of the dump functions, says.
template <class Handle>
std::string dump(int32_t (*write)(Handle *, wp_write_fn, void *), Handle *handle) {
  std::string text;
  const int32_t status = write(
      handle,
      [](void *context, const char *line, size_t size) noexcept -> int32_t {
        try {
          static_cast<std::string *>(context)->append(line, size);
          return 0;
        } catch (...) {
          return 1;  // no memory for more
        }
      },
      &text);
  check(status);
  return text;
}

template <class OwnerType>
auto handle_of(const std::shared_ptr<OwnerType> &owner) noexcept {
  return owner ? owner->handle() : nullptr;
}

}  // namespace detail

class Token;

using WorkerStatistics = wp_worker_statistics;

// A fixed number of worker threads, shared by any number of pipelines. It lives as long as they do.
class Pool {
 public:
  // Throws Error: WP_INVALID_ARGUMENT, WP_NO_MEMORY, WP_NO_THREAD.
  explicit Pool(const PoolOptions &options = {}) : failure_(new detail::FirstFailure) {
    wp_pool_options native = options.native_;
    if (options.name_prefix_) native.name_prefix = options.name_prefix_->c_str();
    auto hooks = std::make_unique<detail::PoolHooks>(
        detail::PoolHooks{options.start_, options.stop_, failure_});
    if (hooks->start || hooks->stop) {
      native.thread_start = [](void *context, uint32_t worker) noexcept {
        const auto &self = *static_cast<const detail::PoolHooks *>(context);
        detail::PoolHooks::call(self.start, worker, *self.failure);
      };
      native.thread_stop = [](void *context, uint32_t worker) noexcept {
        const auto &self = *static_cast<const detail::PoolHooks *>(context);
        detail::PoolHooks::call(self.stop, worker, *self.failure);
      };
      native.context = hooks.get();
      native.destroy_context = [](void *context) noexcept {
        delete static_cast<detail::PoolHooks *>(context);
      };
    }
    wp_pool *pool = nullptr;
    detail::check(wp_pool_create(&native, &pool));
    if (native.context) static_cast<void>(hooks.release());  // the pool's from here on
    owner_ = detail::own<detail::PoolOwner>(pool);
  }
  explicit Pool(uint32_t workers) : Pool(PoolOptions().workers(workers)) {}
  Pool(Pool &&) noexcept = default;
  Pool &operator=(Pool &&) noexcept = default;

  // How many workers it has at present; 0 when it is closed. Threads: any.
  uint32_t workers() const noexcept { return wp_pool_workers(handle()); }
  // Changes that, 1 to max_workers; returns at once: a worker that is too many finishes its block,
  // then sleeps. Throws Error: WP_INVALID_ARGUMENT, WP_NO_THREAD (then the number stays).
  // Threads: any, also inside callbacks.
  void set_workers(uint32_t count) { detail::check(wp_pool_set_workers(handle(), count)); }
  // Bytes allocated for them, without their stacks. Threads: any.
  uint64_t memory() const noexcept { return wp_pool_memory(handle()); }
  // What everybody in the runs under way is doing and waiting for, in lines for people. Throws
  // Error. Threads: any, also inside callbacks and while others hang.
  std::string dump() const { return detail::dump(wp_pool_dump, handle()); }

  // Where the time of a worker, 0 ... workers() - 1, has gone. Throws Error WP_INVALID_ARGUMENT: no
  // such worker. Threads: any.
  WorkerStatistics worker_statistics(uint32_t index) const {
    WorkerStatistics statistics{};
    statistics.struct_size = sizeof statistics;
    detail::check(wp_pool_worker_statistics(handle(), index, &statistics));
    return statistics;
  }

  // Makes the calling thread a worker, on a seat of host_workers, until the token is cancelled
  // (true) or the pool is destroyed (false). Throws Error: WP_BUSY (no free seat),
  // WP_WOULD_DEADLOCK.
  bool run_worker(const Token &token);

  // Ends and joins the threads now. Throws Error WP_BUSY while a pipeline of the pool exists, and
  // in its workers; and what a thread hook has thrown. Threads: one at a time.
  void close() {
    if (owner_) {
      detail::check(owner_->close());
      owner_.reset();
    }
    if (failure_) failure_->rethrow();
  }

  // For functions of workpool.h; nullptr when it is closed. Borrowed.
  wp_pool *handle() const noexcept { return detail::handle_of(owner_); }

 private:
  friend class Pipeline;
  friend class ReaderOptions;
  std::shared_ptr<detail::FirstFailure> failure_;
  std::shared_ptr<detail::PoolOwner> owner_;
};

// Cancels every run that was given it. Threads: any, also inside callbacks, for all of it.
class Token {
 public:
  // Throws Error WP_NO_MEMORY.
  Token() : Token(nullptr) {}
  Token(Token &&) noexcept = default;
  Token &operator=(Token &&) noexcept = default;

  // A token that is cancelled with this one, and by itself.
  Token child() const { return Token(owner_); }

  // Returns at once; twice is as good as once.
  void cancel() noexcept { wp_token_cancel(handle()); }
  // Async-signal-safe: only marks the token; runs notice within 100 ms.
  void cancel_from_signal() noexcept { wp_token_cancel_from_signal(handle()); }
  bool is_cancelled() const noexcept { return wp_token_is_cancelled(handle()) != 0; }
  // 0, or WP_CANCEL_... .
  uint32_t reason() const noexcept { return wp_token_is_cancelled(handle()); }
  // The word that says so, to be read only; valid as long as the token.
  const uint32_t *word() const noexcept { return wp_token_word(handle()); }

  // For functions of workpool.h. Borrowed.
  wp_token *handle() const noexcept { return detail::handle_of(owner_); }

 private:
  friend class PipelineOptions;
  friend class RunOptions;
  explicit Token(std::shared_ptr<detail::TokenOwner> parent) {
    wp_token *token = nullptr;
    detail::check(wp_token_create(detail::handle_of(parent), &token));
    owner_ = detail::own<detail::TokenOwner>(token, std::move(parent));
  }
  std::shared_ptr<detail::TokenOwner> owner_;
};

inline bool Pool::run_worker(const Token &token) {
  const int32_t status = wp_pool_run_worker(handle(), token.handle());
  if (status == WP_CANCELLED) return true;
  detail::check(status);
  return false;
}

// ===== 4 Blocks and payloads ===================================================================

// Why memory that was moved in or borrowed is given back.
enum class Released : int32_t {
  delivered = WP_RELEASE_DELIVERED,
  dropped = WP_RELEASE_DROPPED,
  cut = WP_RELEASE_CUT,
  failed = WP_RELEASE_FAILED,
  cancelled = WP_RELEASE_CANCELLED,
  replaced = WP_RELEASE_REPLACED,
};

namespace detail {

// What the library holds beside bytes that are not its own.
struct Kept {
  Kept() = default;
  Kept(const Kept &) = delete;
  Kept &operator=(const Kept &) = delete;
  virtual ~Kept() = default;
  virtual void released(Released) noexcept {}

  static void release(void *context, void *, size_t, int32_t reason) noexcept {
    const std::unique_ptr<Kept> kept(static_cast<Kept *>(context));
    kept->released(static_cast<Released>(reason));
  }
};

template <class Container>
struct KeptContainer final : Kept {
  Container container;
  explicit KeptContainer(Container &&moved) : container(std::move(moved)) {}
};

template <class Function>
struct KeptFunction final : Kept {
  Function function;
  explicit KeptFunction(Function &&moved) : function(std::move(moved)) {}
  void released(Released reason) noexcept override {
    try {
      if constexpr (std::is_invocable_v<Function &, Released>) {
        function(reason);
      } else {
        function();
      }
    } catch (...) {
      // There is nobody to tell: see Payload::borrow.
    }
  }
};

}  // namespace detail

// The bytes of a block that is submitted, or that a stage gives its block, and how they are held.
//   Payload(std::move(vector))     a container that owns its bytes is kept until the block has left
//   Payload(anything that is Bytes)  is copied when the payload is used, and must live until then
//   Payload::borrow(...)           memory of yours, with a function that says when it is free again
// A Payload that was not accepted still holds its bytes; after it was accepted it is empty.
class Payload {
 public:
  Payload() noexcept = default;

  template <class From, class = std::enable_if_t<
                            !std::is_base_of_v<Payload, std::decay_t<From>> &&
                            (std::is_constructible_v<Bytes, const std::decay_t<From> &>)>>
  Payload(From &&from) {
    using Value = std::remove_reference_t<From>;
    if constexpr (!std::is_lvalue_reference_v<From> && !std::is_const_v<Value> &&
                  detail::owns_bytes<Value>::value) {
      auto kept = std::make_unique<detail::KeptContainer<Value>>(std::move(from));
      const Bytes bytes(kept->container);
      hold(const_cast<void *>(bytes.data), bytes.size, std::move(kept));
    } else {
      const Bytes bytes(from);
      native_.data = const_cast<void *>(bytes.data);  // borrowed: it is read only
      native_.size = bytes.size;
    }
  }
  Payload(const void *data, size_t size) noexcept : Payload(Bytes(data, size)) {}

  // Memory of the caller's, used as it is. Once the payload was accepted, `released` is called
  // exactly once, with a Released or nothing, on any thread; what it throws is lost.
  template <class Function>
  static Payload borrow(void *data, size_t size, Function released) {
    Payload payload;
    payload.hold(data, size,
                 std::make_unique<detail::KeptFunction<Function>>(std::move(released)));
    return payload;
  }

  Payload(Payload &&other) noexcept
      : native_(std::exchange(other.native_, wp_payload{})), kept_(std::move(other.kept_)) {}
  Payload &operator=(Payload &&other) noexcept {
    native_ = std::exchange(other.native_, wp_payload{});
    kept_ = std::move(other.kept_);
    return *this;
  }

  // meta[index] of the block; index < 4. Ignored by Block::set, as the weight is.
  Payload &meta(size_t index, uint64_t value) {
    if (index >= 4) throw Error(WP_INVALID_ARGUMENT, "a block has four meta words");
    native_.meta[index] = value;
    return *this;
  }
  // Bytes to count for max_bytes_in_flight; 0: the size.
  Payload &weight(uint64_t bytes) {
    native_.weight = bytes;
    return *this;
  }

  const void *data() const noexcept { return native_.data; }
  size_t size() const noexcept { return native_.size; }

 private:
  friend class Block;
  friend class Pipeline;

  void hold(void *data, size_t size, std::unique_ptr<detail::Kept> kept) noexcept {
    native_.data = data;
    native_.size = size;
    native_.release = detail::Kept::release;
    native_.release_context = kept.get();
    kept_ = std::move(kept);
  }
  void accepted() noexcept {
    static_cast<void>(kept_.release());  // Kept::release deletes it
    native_ = wp_payload{};
  }

  wp_payload native_{};
  std::unique_ptr<detail::Kept> kept_;
};

// What a callback answers. Returning nothing is go_on.
enum class Action : int32_t {
  go_on = WP_STAGE_OK,
  drop = WP_STAGE_DROP,            // the block leaves here; its place in the order stays
  stop = WP_STAGE_STOP,            // the block goes on and is the last one
  stop_drop = WP_STAGE_STOP_DROP,  // the block leaves here and none comes after it
  more = WP_STAGE_MORE,            // splitter only: the block goes on; call again with this input
  end = WP_SOURCE_END,             // source only: there is no such block, the input is over
};

// A numbered payload, as callbacks and readers of results see it.
class BlockView {
 public:
  // Position in the input, from 0.
  uint64_t number() const noexcept { return native_->number; }
  // The block of the input it came from: the same, unless there is a splitter before.
  uint64_t source_number() const noexcept { return native_->source_number; }
  uint8_t *data() const noexcept { return native_->data; }
  size_t size() const noexcept { return native_->size; }
  bool empty() const noexcept { return native_->size == 0; }
  uint8_t *begin() const noexcept { return native_->data; }
  uint8_t *end() const noexcept { return native_->size ? native_->data + native_->size : begin(); }
  std::string_view text() const noexcept {
    return {reinterpret_cast<const char *>(native_->data), native_->size};
  }
  // Four words of yours that travel with the block, 0 at first; index < 4.
  uint64_t &meta(size_t index) const noexcept { return native_->meta[index]; }

  // Bytes to count for max_bytes_in_flight; 0: the size.
  uint64_t weight() const noexcept { return native_->weight; }

  // For functions of workpool.h. Borrowed.
  wp_block *native() const noexcept { return native_; }

 protected:
  explicit BlockView(wp_block *native) noexcept : native_(native) {}
  wp_block *native_;
};

// A block in a callback: valid until the callback returns. Threads: inside callbacks.
class Block : public BlockView {
 public:
  explicit Block(wp_block *native) noexcept : BlockView(native) {}
  Block(const Block &) = delete;
  Block &operator=(const Block &) = delete;

  void set_weight(uint64_t bytes) noexcept { native_->weight = bytes; }
  // Bytes that fit at data().
  size_t capacity() const noexcept { return native_->capacity; }

  // Makes room for so many bytes, keeping the payload. Throws Error WP_NO_MEMORY: unchanged.
  void reserve(size_t capacity) { detail::check(wp_block_reserve(native_, capacity)); }

  // Sets the size; new bytes have any value. Throws Error WP_NO_MEMORY: unchanged.
  void resize(size_t size) {
    if (size > native_->capacity) reserve(size);
    native_->size = size;
  }

  // Appends bytes, which must not be the block's own. Throws Error WP_NO_MEMORY: unchanged.
  void append(Bytes bytes) {
    if (bytes.size == 0) return;
    const size_t old = native_->size;
    if (bytes.size > native_->capacity - old) {
      if (bytes.size > SIZE_MAX - old) throw Error(WP_NO_MEMORY);
      reserve(std::max(old + bytes.size, old + old / 2));
    }
    std::memcpy(native_->data + old, bytes.data, bytes.size);
    native_->size = old + bytes.size;
  }

  // Replaces the payload, by a copy of bytes (also of the block's own), or by what the Payload
  // holds, which is taken. Throws Error WP_NO_MEMORY: unchanged.
  void set(Payload payload) {
    const wp_payload &given = payload.native_;
    if (given.release) {
      detail::check(wp_block_set_data(native_, given.data, given.size, given.release,
                                      given.release_context));
      payload.accepted();
    } else if (given.size == 0) {
      native_->size = 0;
    } else {
      std::memcpy(spare(given.size), given.data, given.size);
      commit_spare(given.size);
    }
  }

  // A second buffer, to write what shall replace the payload; commit_spare makes its first `size`
  // bytes the payload. Throws Error: WP_NO_MEMORY; WP_INVALID_ARGUMENT if it is not as large.
  uint8_t *spare(size_t capacity) {
    uint8_t *data = nullptr;
    detail::check(wp_block_spare(native_, capacity, &data));
    return data;
  }
  void commit_spare(size_t size) { detail::check(wp_block_commit_spare(native_, size)); }

  // Fails without throwing: return block.fail(code, "text"). code: negative, WP_USER_CODE and below
  // are yours. The waiter gets an Error with both.
  Action fail(int32_t code, const char *text) noexcept {
    return static_cast<Action>(wp_block_fail(native_, code, text));
  }
};

// A block that a splitter makes others of; read only, and valid until the callback returns.
class Input {
 public:
  explicit Input(const wp_block *native) noexcept : native_(native) {}
  uint64_t number() const noexcept { return native_->number; }
  uint64_t source_number() const noexcept { return native_->source_number; }
  const uint8_t *data() const noexcept { return native_->data; }
  size_t size() const noexcept { return native_->size; }
  bool empty() const noexcept { return native_->size == 0; }
  const uint8_t *begin() const noexcept { return native_->data; }
  const uint8_t *end() const noexcept { return empty() ? begin() : native_->data + size(); }
  std::string_view text() const noexcept {
    return {reinterpret_cast<const char *>(native_->data), native_->size};
  }
  uint64_t meta(size_t index) const noexcept { return native_->meta[index]; }
  const wp_block *native() const noexcept { return native_; }

 private:
  const wp_block *native_;
};

// A block that has passed all stages. It keeps its place in the pipeline until it goes, or
// release(). It may outlive its Pipeline, whose memory stays until then. Threads: one at a time.
class Result : public BlockView {
 public:
  // No block.
  Result() noexcept : BlockView(nullptr) {}
  Result(Result &&other) noexcept
      : BlockView(std::exchange(other.native_, nullptr)), keeps_(std::move(other.keeps_)) {}
  Result &operator=(Result &&other) noexcept {
    if (this != &other) {
      release();
      native_ = std::exchange(other.native_, nullptr);
      keeps_ = std::move(other.keeps_);
    }
    return *this;
  }
  ~Result() { release(); }

  // Is there a block?
  explicit operator bool() const noexcept { return native_ != nullptr; }
  void release() noexcept {
    wp_block_release(std::exchange(native_, nullptr));
    keeps_.reset();
  }

 private:
  friend class Pipeline;
  Result(wp_block *native, std::shared_ptr<void> keeps) noexcept
      : BlockView(native), keeps_(std::move(keeps)) {}
  std::shared_ptr<void> keeps_;
};

// ===== 5 Stages ================================================================================
//
// A callback is called with (Block &) or (Block &, const Call &); with a scratch factory, with
// (Block &, Scratch &) or (Block &, Scratch &, const Call &). It returns nothing or an Action; a
// source returns an Action or a bool: whether there is such a block. One callback object serves all
// workers: that of a parallel stage must bear to be called on several threads at once. A scratch
// object belongs to one worker.

enum class Kind : uint32_t {
  parallel = WP_PARALLEL,                  // any blocks at once, in any order
  serial = WP_SERIAL,                      // one at a time: block 0, 1, 2, ...
  serial_any_order = WP_SERIAL_ANY_ORDER,  // one at a time, in any order
  splitter = WP_SPLITTER,                  // as serial, any number of blocks out for each one in
};
inline constexpr Kind parallel = Kind::parallel;
inline constexpr Kind serial = Kind::serial;
inline constexpr Kind serial_any_order = Kind::serial_any_order;

// A Kind, or StageOptions(parallel).max_concurrency(2).see_all(); what is not set is the default.
class StageOptions {
 public:
  // kind: ignored for sources and sinks, which are serial.
  StageOptions(Kind kind = Kind::parallel) { native_.kind = static_cast<uint32_t>(kind); }

  // parallel: most calls at once; 0: no limit.
  StageOptions &max_concurrency(uint32_t calls) {
    native_.max_concurrency = calls;
    return *this;
  }
  // serial, and sinks: up to so many blocks (at most 256) in one call of the library. The callback is
  // still called for each, and the result is the same; with callbacks that are cheap to enter, as
  // these are, it is hardly faster.
  StageOptions &max_batch(uint32_t blocks) {
    native_.max_batch = blocks;
    return *this;
  }
  // A stop in a later stage does not keep blocks from this one.
  StageOptions &see_all(bool yes = true) { return flag(WP_STAGE_SEE_ALL, yes); }
  // The callback may wait for a disk, a child or the network.
  StageOptions &may_block(bool yes = true) { return flag(WP_STAGE_MAY_BLOCK, yes); }
  // Called once for each run, after the last block, with its outcome so far (WP_...). What it
  // throws is an error after the last block.
  StageOptions &on_finish(std::function<void(int32_t status)> function) {
    finish_ = std::move(function);
    return *this;
  }

 private:
  friend class Pipeline;
  StageOptions &flag(uint32_t bit, bool yes) {
    native_.flags = yes ? native_.flags | bit : native_.flags & ~bit;
    return *this;
  }
  wp_stage_options native_ = WP_STAGE_OPTIONS_INIT;
  std::function<void(int32_t)> finish_;
};

// What a callback is told beside its block.
class Call {
 public:
  explicit Call(const wp_call *native) noexcept : native_(native), input_(native->input) {}
  // Index of the worker, from 0; number of the stage, 0 is the source.
  uint32_t worker() const noexcept { return native_->worker; }
  uint32_t stage() const noexcept { return native_->stage; }
  // Was the run cancelled? To be looked at in long callbacks.
  bool is_cancelled() const noexcept { return wp_token_is_cancelled(native_->token) != 0; }
  // What a splitter splits; nullptr after the last one, and in other stages.
  const Input *input() const noexcept { return input_.native() ? &input_ : nullptr; }
  const wp_call *native() const noexcept { return native_; }

 private:
  const wp_call *native_;
  Input input_;
};

namespace detail {

// What callbacks have thrown in a run: those of the lowest blocks, for these are asked for.
class Exceptions {
 public:
  explicit Exceptions(size_t most) noexcept : most_(most) {}

  void keep(uint64_t number, uint32_t stage) noexcept {
    try {
      const std::lock_guard<std::mutex> lock(mutex_);
      thrown_.emplace(std::make_pair(number, stage), std::current_exception());
      if (thrown_.size() > most_) thrown_.erase(std::prev(thrown_.end()));
    } catch (...) {
      // No memory to keep it: the waiter gets an Error with its text.
    }
  }
  // Of what knows no block: worker_start, finish, a splitter without input; of subscribers, which
  // know no stage either.
  void keep(uint32_t stage) noexcept { keep(no_block, stage); }
  void keep_by_subscriber() noexcept { keep(no_stage); }
  std::exception_ptr find_by_subscriber() const { return find(no_block, no_stage); }

  std::exception_ptr find(uint64_t number, uint32_t stage) const {
    const std::lock_guard<std::mutex> lock(mutex_);
    for (const uint64_t block : {number, no_block}) {
      const auto at = thrown_.find({block, stage});
      if (at != thrown_.end()) return at->second;
    }
    return nullptr;
  }
  void clear() noexcept {
    const std::lock_guard<std::mutex> lock(mutex_);
    thrown_.clear();
  }

 private:
  static constexpr uint64_t no_block = UINT64_MAX;
  static constexpr uint32_t no_stage = UINT32_MAX;
  const size_t most_;
  mutable std::mutex mutex_;
  std::map<std::pair<uint64_t, uint32_t>, std::exception_ptr> thrown_;
};

// In a catch block: calls `tell` with the code and the text of what was caught.
template <class Tell>
int32_t describe_caught(Tell tell) noexcept {
  try {
    throw;
  } catch (const Error &error) {
    return tell(error.status() < 0 ? error.status() : WP_USER_CODE, error.what());
  } catch (const std::bad_alloc &error) {
    return tell(WP_NO_MEMORY, error.what());
  } catch (const std::exception &error) {
    return tell(WP_USER_CODE, error.what());
  } catch (...) {
    return tell(WP_USER_CODE, "unknown exception");
  }
}

struct NoFactory {
  void operator()() const noexcept {}
};
// What a factory of (worker) or of nothing makes; void for NoFactory.
template <class Factory>
using ScratchOf =
    typename std::conditional_t<std::is_invocable_v<Factory &, uint32_t>,
                                std::invoke_result<Factory &, uint32_t>,
                                std::invoke_result<Factory &>>::type;

template <class Function, class Scratch>
decltype(auto) invoke(Function &function, Block &block, [[maybe_unused]] void *scratch,
                      const Call &call) {
  if constexpr (std::is_void_v<Scratch>) {
    if constexpr (std::is_invocable_v<Function &, Block &, const Call &>) {
      return function(block, call);
    } else {
      static_assert(std::is_invocable_v<Function &, Block &>,
                    "a callback takes (Block &) or (Block &, const Call &)");
      return function(block);
    }
  } else {
    Scratch &own = *static_cast<Scratch *>(scratch);
    if constexpr (std::is_invocable_v<Function &, Block &, Scratch &, const Call &>) {
      return function(block, own, call);
    } else {
      static_assert(std::is_invocable_v<Function &, Block &, Scratch &>,
                    "a callback takes (Block &, Scratch &) or (Block &, Scratch &, const Call &)");
      return function(block, own);
    }
  }
}

// A callback with what belongs to it, behind the `context` of the C interface.
template <bool is_source, class Function, class Factory>
struct StageContext {
  using Scratch = ScratchOf<Factory>;
  Function function;
  Factory factory;
  std::function<void(int32_t)> finish;
  Exceptions *exceptions;
  uint32_t stage;
  bool is_splitter;

  static StageContext &from(void *context) { return *static_cast<StageContext *>(context); }
  static void destroy(void *context) noexcept { delete &from(context); }

  static int32_t call(void *context, wp_block *block, void *scratch,
                      const wp_call *about) noexcept {
    if (about->count <= 1) return call_for(context, block, scratch, about);
    for (uint32_t i = 0; i < about->count; i++) {
      const int32_t answer = call_for(context, about->blocks[i], scratch, about);
      about->answers[i] = answer;
      if (answer != WP_STAGE_OK && answer != WP_STAGE_DROP) break;
    }
    return about->answers[0];
  }

  static int32_t call_for(void *context, wp_block *native, void *scratch,
                          const wp_call *about) noexcept {
    try {
      Block block(native);
      const Call call(about);
      auto &function = from(context).function;
      using Answer = decltype(invoke<Function, Scratch>(function, block, scratch, call));
      if constexpr (std::is_void_v<Answer>) {
        static_assert(!is_source, "a source returns bool (is there such a block?) or an Action");
        invoke<Function, Scratch>(function, block, scratch, call);
        return WP_STAGE_OK;
      } else if constexpr (is_source && std::is_same_v<Answer, bool>) {
        return invoke<Function, Scratch>(function, block, scratch, call) ? WP_STAGE_OK
                                                                         : WP_SOURCE_END;
      } else {
        static_assert(std::is_same_v<Answer, Action>, "a callback returns nothing or an Action");
        return static_cast<int32_t>(invoke<Function, Scratch>(function, block, scratch, call));
      }
    } catch (...) {
      from(context).keep(native, about);
      return describe_caught([native](int32_t code, const char *text) {
        return wp_block_fail(native, code, text);
      });
    }
  }

  // The number that the error will have: a splitter's is that of its input.
  void keep(const wp_block *block, const wp_call *call) const noexcept {
    if (!is_splitter) {
      exceptions->keep(block->number, call->stage);
    } else if (call->input) {
      exceptions->keep(call->input->number, call->stage);
    } else {
      exceptions->keep(call->stage);
    }
  }

  static int32_t start_worker(void *context, [[maybe_unused]] uint32_t worker,
                              void **scratch) noexcept {
    try {
      if constexpr (std::is_invocable_v<Factory &, uint32_t>) {
        *scratch = new Scratch(from(context).factory(worker));
      } else {
        *scratch = new Scratch(from(context).factory());
      }
      return WP_OK;
    } catch (...) {
      from(context).exceptions->keep(from(context).stage);
      return describe_caught([](int32_t code, const char *) { return code; });
    }
  }
  static void finish_worker(void *, uint32_t, void *scratch) noexcept {
    delete static_cast<Scratch *>(scratch);
  }

  static int32_t finish_run(void *context, int32_t status) noexcept {
    try {
      from(context).finish(status);
      return WP_OK;
    } catch (...) {
      from(context).exceptions->keep(from(context).stage);
      return describe_caught([](int32_t code, const char *) { return code; });
    }
  }
};

}  // namespace detail

// ===== 6 Pipelines =============================================================================

// What a run measures of itself. What is off is not paid for.
enum class Measure : uint32_t {
  sampled = WP_STATISTICS_SAMPLED,  // counts, waiting times, times of long calls and some others
  counts = WP_STATISTICS_OFF,       // counts alone
  times = WP_STATISTICS_TIMES,      // the time of every call
};

// PipelineOptions().max_blocks_in_flight(16).pull_results(); what is not set is the default.
class PipelineOptions {
 public:
  // Between source (or submit) and cleanup: 1-65536; 0: 100.
  PipelineOptions &max_blocks_in_flight(uint32_t blocks) {
    native_.max_blocks_in_flight = blocks;
    return *this;
  }
  // A block is admitted while those in flight weigh less, in bytes; 0: no limit.
  PipelineOptions &max_bytes_in_flight(uint64_t bytes) {
    native_.max_bytes_in_flight = bytes;
    return *this;
  }
  // Errors drop their block and are listed in errors(); max_failures of them end the run (0: any
  // number).
  PipelineOptions &collect_errors(uint64_t max_failures = 0) {
    native_.max_failures = max_failures;
    return flag(WP_PIPELINE_COLLECT_ERRORS, true);
  }
  // Length of the error list; 0: 100.
  PipelineOptions &max_errors_kept(uint32_t errors) {
    native_.max_errors_kept = errors;
    return *this;
  }
  // A run that takes longer is cancelled and comes to WP_TIMED_OUT; forever: no limit.
  PipelineOptions &run_timeout(Timeout timeout) {
    const int64_t nanoseconds = timeout.nanoseconds();
    native_.run_timeout_ns = nanoseconds < 0 ? 0 : std::max<int64_t>(nanoseconds, 1);
    return *this;
  }
  // When no block has moved for so long while some are in flight, `tell` is called, once in a run,
  // with what dump() says, as a subscriber is: what it throws cancels the run and is thrown again.
  PipelineOptions &on_stuck(Timeout after, std::function<void(const char *dump)> tell) {
    on_stuck_ = std::move(tell);
    return stuck_after(after);
  }
  // The run is cancelled then (reason WP_CANCEL_STUCK).
  PipelineOptions &cancel_when_stuck(Timeout after) {
    return stuck_after(after).flag(WP_PIPELINE_CANCEL_WHEN_STUCK, true);
  }
  // How far set_max_blocks can go: a power of two, at most 65536; 0: 256, or what the limit needs.
  PipelineOptions &window_capacity(uint32_t blocks) {
    native_.window_capacity = blocks;
    return *this;
  }
  // Part in the workers' time, see set_weight: 1-1000; 0: 1.
  PipelineOptions &weight(uint32_t weight) {
    native_.weight = weight;
    return *this;
  }
  // Blocks are delivered as they come: one that takes long holds up no other.
  PipelineOptions &unordered(bool yes = true) { return flag(WP_PIPELINE_UNORDERED, yes); }
  // What the runs measure of themselves.
  PipelineOptions &statistics(Measure what) {
    native_.statistics = static_cast<uint32_t>(what);
    return *this;
  }
  // How many events each worker keeps, the last ones, for Pipeline::timeline: 48 bytes each. Times
  // every call. 0: no timeline.
  PipelineOptions &timeline_events(uint32_t events) {
    native_.timeline_events = events;
    return *this;
  }
  // No sink: the host calls results() or next_result().
  PipelineOptions &pull_results(bool yes = true) { return flag(WP_PIPELINE_PULL_RESULTS, yes); }
  // submit waits although results are unread.
  PipelineOptions &reader_is_another_thread(bool yes = true) {
    return flag(WP_PIPELINE_READER_IS_ANOTHER_THREAD, yes);
  }
  // run() is a plain loop on the calling thread.
  PipelineOptions &serial_reference(bool yes = true) {
    return flag(WP_PIPELINE_SERIAL_REFERENCE, yes);
  }
  // Cancels the runs. The pipeline keeps it alive.
  PipelineOptions &token(const Token &token) {
    token_ = token.owner_;
    return *this;
  }

 private:
  friend class Pipeline;
  PipelineOptions &flag(uint32_t bit, bool yes) {
    native_.flags = yes ? native_.flags | bit : native_.flags & ~bit;
    return *this;
  }
  PipelineOptions &stuck_after(Timeout after) {
    const int64_t nanoseconds = after.nanoseconds();
    native_.stuck_after_ns = nanoseconds < 0 ? 0 : std::max<int64_t>(nanoseconds, 1);
    return *this;
  }
  wp_pipeline_options native_ = WP_PIPELINE_OPTIONS_INIT;
  std::shared_ptr<detail::TokenOwner> token_;
  std::function<void(const char *)> on_stuck_;
};

// How a run ended; the fields of wp_result.
struct Outcome : wp_result {
  bool is_ok() const noexcept { return status == WP_OK; }
  // A stage or the host ended the run early: a success.
  bool is_stopped() const noexcept { return status == WP_STOPPED; }
  // Only with collect_errors is this seen: otherwise it is thrown.
  bool has_failed() const noexcept { return status < 0; }
};

// One entry of a run's error list.
struct BlockError {
  uint64_t number;         // as its stage counts; a splitter's is its input
  uint64_t source_number;  // the block of the input it came from; UINT64_MAX: none
  uint32_t stage;
  int32_t code;
  std::string text;
  std::exception_ptr exception;  // what the callback threw; null if it returned a code
};

using StageStatistics = wp_stage_statistics;
using PipelineStatistics = wp_pipeline_statistics;
using Progress = wp_progress;

// What became of a submit.
enum class Submitted {
  accepted,
  stopped,          // the run was stopped and takes no more
  timed_out,        // no place came free in time; with 0, there is none now
  results_waiting,  // all places or bytes are held by unread results: read first
};

// What next_result found.
enum class Next { block, end, timed_out };

class Reader;
class Writer;
class Results;

// Carries numbered blocks from a source through stages to a sink. Building and starting is for one
// thread at a time; submitting, reading, waiting, looking and ending for any.
class Pipeline {
 public:
  // Throws Error: WP_INVALID_ARGUMENT, WP_NO_MEMORY, WP_FORKED.
  explicit Pipeline(const Pool &pool, const PipelineOptions &options = {})
      : Pipeline(pool.handle(), pool.owner_, options) {}
  // On no pool: for the serial reference only.
  explicit Pipeline(const PipelineOptions &options) : Pipeline(nullptr, nullptr, options) {}

  // Cancels a run that is under way and waits for its end: no callback is called any more.
  // In a callback of its own it cannot wait: then the pipeline is cancelled and never freed.
  ~Pipeline() { leave(); }
  Pipeline(Pipeline &&) noexcept = default;
  Pipeline &operator=(Pipeline &&other) noexcept {
    if (this != &other) {
      leave();
      core_ = std::move(other.core_);
    }
    return *this;
  }

  // The same as the destructor, and reports: throws Error WP_BUSY in a callback of its own, and
  // while a Result lives.
  void destroy() {
    if (!core_) return;
    detail::check(wp_pipeline_destroy(core_->handle));
    core_->handle = nullptr;
    core_.reset();
  }

  // ----- building: throws Error WP_INVALID_ARGUMENT, WP_INVALID_STATE, WP_NO_MEMORY -----

  // Where blocks come from; called for one block after the other. Without a source the host
  // submits.
  template <class Function>
  Pipeline &source(const char *name, Function function) {
    return source(name, StageOptions(serial), detail::NoFactory(), std::move(function));
  }
  template <class Function>
  Pipeline &source(const char *name, StageOptions options, Function function) {
    return source(name, std::move(options), detail::NoFactory(), std::move(function));
  }
  template <class Factory, class Function>
  Pipeline &source(const char *name, StageOptions options, Factory scratch, Function function) {
    auto context = make<true>(0, options, std::move(scratch), std::move(function));
    add(name, options, std::move(context), wp_pipeline_set_source);
    return *this;
  }
  // Every block is a block of whole records, meta(0) of them, with meta(1) before. One run.
  Pipeline &source(const Reader &reader);

  // Adds a stage. With `scratch`, a function of (worker) or of nothing, each worker has an object
  // that `scratch` made, in each run, and that goes after the last block.
  template <class Function>
  Pipeline &stage(const char *name, StageOptions options, Function function) {
    return stage(name, std::move(options), detail::NoFactory(), std::move(function));
  }
  template <class Factory, class Function>
  Pipeline &stage(const char *name, StageOptions options, Factory scratch, Function function) {
    auto context =
        make<false>(core().stages + 1, options, std::move(scratch), std::move(function));
    core().stages = add(name, options, std::move(context), wp_pipeline_add_stage);
    return *this;
  }

  // Makes any number of blocks out of each one. `function` fills an empty block, its first
  // argument, from its input, the second: (Block &, const Input *), which is nullptr after the last
  // input. It returns Action::go_on (the block goes on, the input is used up), more (the same, but
  // call again with this input), drop (there is no block, the input is used up), stop or stop_drop.
  // See "Splitters" in workpool.h.
  template <class Function>
  Pipeline &splitter(const char *name, Function function) {
    return splitter(name, StageOptions(), std::move(function));
  }
  template <class Function>
  Pipeline &splitter(const char *name, StageOptions options, Function function) {
    static_assert(std::is_invocable_r_v<Action, Function &, Block &, const Input *>,
                  "a splitter takes (Block &, const Input *) and returns an Action");
    options.native_.kind = WP_SPLITTER;
    auto split = [function = std::move(function)](Block &block, const Call &call) mutable {
      return static_cast<Action>(function(block, call.input()));
    };
    return stage(name, std::move(options), std::move(split));
  }

  // What gets the blocks in input order at the end.
  template <class Function>
  Pipeline &sink(const char *name, Function function) {
    return sink(name, StageOptions(serial), detail::NoFactory(), std::move(function));
  }
  template <class Function>
  Pipeline &sink(const char *name, StageOptions options, Function function) {
    return sink(name, std::move(options), detail::NoFactory(), std::move(function));
  }
  template <class Factory, class Function>
  Pipeline &sink(const char *name, StageOptions options, Factory scratch, Function function) {
    auto context =
        make<false>(core().stages + 1, options, std::move(scratch), std::move(function));
    add(name, options, std::move(context), wp_pipeline_set_sink);
    return *this;
  }
  // Call writer.finish() after the run. One run.
  Pipeline &sink(const Writer &writer);

  // Changes max_blocks_in_flight for the run under way and all later ones, up to the window's
  // capacity. Throws Error WP_INVALID_ARGUMENT. Threads: any, also inside callbacks.
  void set_max_blocks(uint32_t blocks) {
    detail::check(wp_pipeline_set_max_blocks(handle(), blocks));
  }
  // The same for max_bytes_in_flight; 0: no limit.
  void set_max_bytes(uint64_t bytes) {
    detail::check(wp_pipeline_set_max_bytes(handle(), bytes));
  }

  // Pipelines of a pool that have work get worker time in proportion to their weights, 1-1000. As
  // set_max_blocks.
  void set_weight(uint32_t weight) { detail::check(wp_pipeline_set_weight(handle(), weight)); }

  // ----- running -----

  // start, then wait for ever; see wait.
  Outcome run() {
    core().forget();
    return core().conclude(wp_pipeline_run(handle()));
  }

  // Begins a run. Throws Error: WP_INVALID_STATE (already running), WP_NO_MEMORY, WP_CANCELLED.
  void start() {
    core().forget();
    detail::check(wp_pipeline_start(handle()));
  }

  // Waits for the end of the run and returns how it ended. Throws what the callback of the deciding
  // block has thrown, or an Error with its code, text, block and stage; Error WP_CANCELLED, or
  // WP_TIMED_OUT when its run_timeout was over;
  // WP_RESULTS_WAITING if results must be read first; WP_WOULD_DEADLOCK in a callback of the
  // pipeline; WP_INVALID_STATE before start. With collect_errors a failed run is returned: see
  // errors(). Threads: any; two that wait get the same exception object.
  Outcome wait() { return core().conclude(wp_pipeline_wait(handle(), -1)); }

  // The same for some time; nothing if the run goes on.
  std::optional<Outcome> wait(Timeout timeout) {
    const int32_t status = wp_pipeline_wait(handle(), timeout.nanoseconds());
    if (status == WP_TIMED_OUT && !core().has_ended()) return std::nullopt;
    return core().conclude(status);
  }

  // Submits the next block of a pipeline without source; waits for a place. Throws Error WP_CLOSED,
  // WP_CANCELLED, WP_WOULD_DEADLOCK, WP_INVALID_STATE, WP_NO_MEMORY; and when a stage has failed,
  // what wait() throws (with pull_results, where the reader gets that, an Error WP_STAGE_FAILED). A
  // payload that was not accepted keeps its bytes. Threads: any.
  Submitted submit(Payload &payload, Timeout timeout = forever) {
    return submitted(payload,
                     wp_pipeline_submit(handle(), &payload.native_, timeout.nanoseconds()));
  }
  Submitted submit(Payload &&payload, Timeout timeout = forever) {
    return submit(payload, timeout);
  }

  // The same with a number of the caller's, and for a number that will have no block. Throws also
  // Error WP_DUPLICATE_BLOCK, and WP_INVALID_STATE if a run gets numbered blocks and others.
  Submitted submit_numbered(uint64_t number, Payload &payload, Timeout timeout = forever) {
    return submitted(payload, wp_pipeline_submit_numbered(handle(), number, &payload.native_,
                                                          timeout.nanoseconds()));
  }
  Submitted submit_numbered(uint64_t number, Payload &&payload, Timeout timeout = forever) {
    return submit_numbered(number, payload, timeout);
  }
  Submitted skip(uint64_t number, Timeout timeout = forever) {
    Payload none;
    return submitted(none, wp_pipeline_skip(handle(), number, timeout.nanoseconds()));
  }

  // No more input: the run ends when all is delivered. Twice is as good as once. Throws Error
  // WP_INVALID_STATE. Threads: any.
  void close() { detail::check(wp_pipeline_close(handle())); }

  // Waits until everything submitted so far was delivered or can be read; false if that took
  // longer. Throws as wait. Threads: any.
  bool flush(Timeout timeout = forever) {
    const int32_t status = wp_pipeline_flush(handle(), timeout.nanoseconds());
    if (status == WP_TIMED_OUT && !core().has_ended()) return false;
    if (status < 0) core().conclude(status);
    return true;
  }

  // Gives `result` back, then puts the next block in input order there. After the last one,
  // Next::end; if the run failed, throws what wait() throws, after the blocks before the failure.
  // Throws Error WP_WOULD_DEADLOCK if the host itself holds every place. Threads: any.
  Next next_result(Result &result, Timeout timeout = forever) {
    result.release();
    wp_block *block = nullptr;
    const int32_t status = wp_pipeline_next_result(handle(), timeout.nanoseconds(), &block);
    if (status == WP_OK) {
      result = Result(block, core_);
      return Next::block;
    }
    if (status == WP_WOULD_BLOCK || (status == WP_TIMED_OUT && !core().has_ended())) {
      return Next::timed_out;
    }
    if (status < 0) core().conclude(status);
    return Next::end;
  }

  // for (Result &block : pipeline.results()) ...: all that next_result gives. A block is given back
  // when the loop goes on, unless it was moved away. Leaving the loop early leaves the run as it
  // is.
  Results results();

  // Ends the input: blocks in flight are still delivered. Throws Error WP_INVALID_STATE. Threads:
  // any, also inside callbacks.
  void stop() { detail::check(wp_pipeline_stop(handle())); }
  // Ends the run: no callback begins any more. Returns at once. As stop.
  void cancel() { detail::check(wp_pipeline_cancel(handle())); }

  // ----- progress. Threads: any, also inside callbacks -----

  // Has `tell` called about every `interval` (0: 100 ms) while a run is under way, and once more
  // with WP_PROGRESS_LAST at its end; never twice at once. What it may do is in workpool.h. What it
  // throws cancels the run and is thrown again to whoever waits. Returns what unsubscribe takes.
  // Throws Error: WP_INVALID_ARGUMENT, WP_NO_MEMORY, WP_NO_THREAD.
  uint64_t subscribe(std::function<void(const Progress &)> tell,
                     std::chrono::nanoseconds interval = std::chrono::nanoseconds(0)) {
    auto context = std::make_unique<Subscriber>(Subscriber{std::move(tell), &core()});
    wp_subscriber_options options = WP_SUBSCRIBER_OPTIONS_INIT;
    options.interval_ns = interval.count();
    options.fn = Subscriber::call;
    options.context = context.get();
    options.destroy_context = [](void *subscriber) noexcept {
      delete static_cast<Subscriber *>(subscriber);
    };
    uint64_t id = 0;
    detail::check(wp_pipeline_subscribe(handle(), &options, &id));
    static_cast<void>(context.release());  // the pipeline's from here on
    return id;
  }
  // Waits while its call is running, unless that is the caller.
  void unsubscribe(uint64_t id) { detail::check(wp_pipeline_unsubscribe(handle(), id)); }
  // How many blocks and bytes the input has, for Progress::eta_ns; UINT64_MAX: unknown.
  void set_total(uint64_t blocks, uint64_t bytes = UINT64_MAX) {
    detail::check(wp_pipeline_set_total(handle(), blocks, bytes));
  }

  // ----- looking. Threads: any -----

  // The outcome of the last run, also of a failed one. Throws Error WP_INVALID_STATE: none has
  // ended.
  Outcome outcome() const { return core().outcome(); }
  // The errors of the last run, in block order.
  std::vector<BlockError> errors() const {
    std::vector<BlockError> errors;
    wp_error_entry entry{};
    entry.struct_size = sizeof entry;
    while (detail::check(wp_pipeline_error(handle(), errors.size(), &entry)) == WP_OK) {
      errors.push_back({entry.number, entry.source_number, entry.stage, entry.code, entry.text,
                        core().exceptions.find(entry.number, entry.stage)});
    }
    return errors;
  }
  // What the run, and each of its stages (0 is the source), has done so far.
  PipelineStatistics statistics() const {
    PipelineStatistics statistics{};
    statistics.struct_size = sizeof statistics;
    detail::check(wp_pipeline_statistics_get(handle(), &statistics));
    return statistics;
  }
  // Bytes allocated for the run under way, or the last one; 0 before the first.
  uint64_t memory() const noexcept { return wp_pipeline_memory(handle()); }
  // What everybody in the run is doing and waiting for, in lines for people; also while others
  // hang.
  std::string dump() const { return detail::dump(wp_pipeline_dump, handle()); }
  StageStatistics statistics(uint32_t stage) const {
    StageStatistics statistics{};
    statistics.struct_size = sizeof statistics;
    detail::check(wp_pipeline_stage_statistics(handle(), stage, &statistics));
    return statistics;
  }
  // The timeline of the last run, so far, as Trace Event JSON for Perfetto and chrome://tracing.
  // Throws Error WP_INVALID_STATE: before the first start, or without timeline_events.
  std::string timeline() const {
    std::string text;
    write_timeline([&text](std::string_view piece) { text += piece; });
    return text;
  }
  // The same piece by piece: `write` gets std::string_views. What it throws ends the writing, and
  // is thrown again.
  template <class Function>
  void write_timeline(Function &&write) const {
    struct Writing {
      Function &write;
      std::exception_ptr thrown;
    } writing{write, nullptr};
    const int32_t status = wp_pipeline_write_timeline(
        handle(),
        [](void *context, const void *data, size_t size) noexcept -> int32_t {
          auto &self = *static_cast<Writing *>(context);
          try {
            self.write(std::string_view(static_cast<const char *>(data), size));
            return 0;
          } catch (...) {
            self.thrown = std::current_exception();
            return 1;
          }
        },
        &writing);
    if (writing.thrown) std::rethrow_exception(writing.thrown);
    detail::check(status);
  }

  // For functions of workpool.h; nullptr after destroy. Borrowed.
  wp_pipeline *handle() const noexcept { return core_ ? core_->handle : nullptr; }

 private:
  // What outlives a move, and a Pipeline of which results are held.
  struct Core {
    explicit Core(size_t most_exceptions) noexcept : exceptions(most_exceptions) {}

    wp_pipeline *handle = nullptr;
    detail::Exceptions exceptions;
    bool collects = false;
    bool pulls = false;
    uint32_t stages = 0;
    std::function<void(const char *)> on_stuck;
    std::vector<std::shared_ptr<void>> keeps;

    static void tell_stuck(void *context, const char *dump) noexcept {
      auto &self = *static_cast<Core *>(context);
      try {
        self.on_stuck(dump);
      } catch (...) {
        self.exceptions.keep_by_subscriber();
        wp_pipeline_cancel(self.handle);
      }
    }

    // Busy it is in a callback of its own: then callbacks go on using it.
    static void let_go(Core *core) noexcept {
      if (wp_pipeline_destroy(core->handle) != WP_BUSY) delete core;
    }

    bool has_ended() const noexcept {
      wp_result result{};
      result.struct_size = sizeof result;
      return wp_pipeline_result(handle, &result) == WP_OK;
    }
    Outcome outcome() const {
      Outcome outcome{};
      outcome.struct_size = sizeof(wp_result);
      detail::check(wp_pipeline_result(handle, &outcome));
      return outcome;
    }
    // Before a run: what the last one has thrown.
    void forget() noexcept {
      if (has_ended()) exceptions.clear();
    }

    // A call that waited for the run has returned `status`: returns how the run ended, or throws.
    Outcome conclude(int32_t status) const {
      const bool is_outcome = status >= 0 || status == WP_STAGE_FAILED ||
                              status == WP_MISSING_BLOCK || status == WP_TIMED_OUT ||
                              (status == WP_CANCELLED && has_ended());
      if (!is_outcome) detail::fail(status);
      const Outcome how = outcome();
      if (const auto thrown = exceptions.find_by_subscriber()) std::rethrow_exception(thrown);
      if (how.status >= 0) return how;
      const bool has_errors = how.status == WP_STAGE_FAILED || how.status == WP_MISSING_BLOCK;
      if (!has_errors) throw Error(how.status);
      if (collects) return how;
      if (const auto thrown = exceptions.find(how.number, how.stage)) {
        std::rethrow_exception(thrown);
      }
      wp_error_entry entry{};
      entry.struct_size = sizeof entry;
      std::string text;
      for (size_t i = 0; wp_pipeline_error(handle, i, &entry) == WP_OK; i++) {
        if (entry.number == how.number && entry.stage == how.stage) {
          text = entry.text;
          break;
        }
      }
      throw Error(how.code, text, how.number, how.stage);
    }
  };

  struct Subscriber {
    std::function<void(const Progress &)> tell;
    Core *core;

    static void call(void *context, const wp_progress *progress) noexcept {
      auto &self = *static_cast<Subscriber *>(context);
      try {
        self.tell(*progress);
      } catch (...) {
        self.core->exceptions.keep_by_subscriber();
        wp_pipeline_cancel(self.core->handle);
      }
    }
  };

  Pipeline(wp_pool *pool, std::shared_ptr<void> keeps, const PipelineOptions &options) {
    wp_pipeline_options native = options.native_;
    native.token = detail::handle_of(options.token_);
    // The error list and all blocks that may be in flight: what lies beyond is never asked for.
    const size_t kept = native.max_errors_kept ? native.max_errors_kept : 100;
    const size_t limit = native.max_blocks_in_flight ? native.max_blocks_in_flight : 100;
    const size_t window = native.window_capacity ? native.window_capacity : 256;
    auto core = std::make_unique<Core>(kept + std::max(window, 2 * limit));
    core->collects = (native.flags & WP_PIPELINE_COLLECT_ERRORS) != 0;
    core->pulls = (native.flags & WP_PIPELINE_PULL_RESULTS) != 0;
    core->keeps = {std::move(keeps), options.token_};
    core->on_stuck = options.on_stuck_;
    if (core->on_stuck) {
      native.on_stuck = Core::tell_stuck;
      native.stuck_context = core.get();
    }
    detail::check(wp_pipeline_create(pool, &native, &core->handle));
    core_ = std::shared_ptr<Core>(core.release(), Core::let_go);
  }

  Core &core() const {
    if (!core_) throw Error(WP_INVALID_STATE, "the pipeline was destroyed");
    return *core_;
  }

  void leave() noexcept {
    if (!core_) return;
    // A run whose results are held outlives this; its callbacks do not.
    if (wp_pipeline_cancel(core_->handle) == WP_OK) wp_pipeline_wait(core_->handle, -1);
    core_.reset();
  }

  template <bool is_source, class Factory, class Function>
  auto make(uint32_t stage, StageOptions &options, Factory factory, Function function) {
    using Context = detail::StageContext<is_source, Function, Factory>;
    auto context = std::unique_ptr<Context>(
        new Context{std::move(function), std::move(factory), std::move(options.finish_),
                    &core().exceptions, stage, options.native_.kind == WP_SPLITTER});
    wp_stage_options &native = options.native_;
    native.fn = Context::call;
    native.context = context.get();
    native.destroy_context = Context::destroy;
    if constexpr (!std::is_same_v<Factory, detail::NoFactory>) {
      native.worker_start = Context::start_worker;
      native.worker_finish = Context::finish_worker;
    }
    if (context->finish) native.finish = Context::finish_run;
    return context;
  }

  template <class Context, class Register>
  uint32_t add(const char *name, StageOptions &options, std::unique_ptr<Context> context,
               Register where) {
    options.native_.name = name;
    const int32_t number = detail::check(where(handle(), &options.native_));
    static_cast<void>(context.release());  // the pipeline's from here on
    return static_cast<uint32_t>(number);
  }

  Submitted submitted(Payload &payload, int32_t status) {
    switch (status) {
      case WP_OK:
        payload.accepted();
        return Submitted::accepted;
      case WP_STOPPED: return Submitted::stopped;
      case WP_WOULD_BLOCK: return Submitted::timed_out;
      case WP_RESULTS_WAITING: return Submitted::results_waiting;
      case WP_TIMED_OUT:
        if (!core().has_ended()) return Submitted::timed_out;
        break;
      case WP_STAGE_FAILED:
        if (!core().pulls) wait();  // throws what the stage has thrown
        break;
      default: break;
    }
    detail::fail(status);
  }

  std::shared_ptr<Core> core_;
};

// The blocks that a pipeline has for its host, as a range that can be gone through once.
class Results {
 public:
  struct End {};

  class Iterator {
   public:
    using iterator_category = std::input_iterator_tag;
    using value_type = Result;
    using difference_type = std::ptrdiff_t;
    using pointer = Result *;
    using reference = Result &;

    explicit Iterator(Results *results) noexcept : results_(results) {}
    Result &operator*() const noexcept { return results_->current_; }
    Result *operator->() const noexcept { return &results_->current_; }
    Iterator &operator++() {
      results_->read();
      return *this;
    }
    void operator++(int) { results_->read(); }
    bool has_ended() const noexcept { return results_->has_ended_; }
    friend bool operator==(const Iterator &at, End) noexcept { return at.has_ended(); }
    friend bool operator!=(const Iterator &at, End end) noexcept { return !(at == end); }

   private:
    Results *results_;
  };

  // Reads the first one.
  Iterator begin() {
    read();
    return Iterator(this);
  }
  End end() const noexcept { return {}; }

 private:
  friend class Pipeline;
  explicit Results(Pipeline &pipeline) noexcept : pipeline_(&pipeline) {}
  void read() { has_ended_ = pipeline_->next_result(current_) == Next::end; }

  Pipeline *pipeline_;
  Result current_;
  bool has_ended_ = false;
};

inline Results Pipeline::results() { return Results(*this); }

// ===== 7 Readers and writers ===================================================================

enum class Compression : uint32_t {
  automatic = WP_COMPRESSION_AUTO,  // writers: by suffix
  plain = WP_COMPRESSION_PLAIN,
  gzip = WP_COMPRESSION_GZIP,
  bgzf = WP_COMPRESSION_BGZF,
  zstd = WP_COMPRESSION_ZSTD,
};

// Bytes behind the last member or frame of a file.
enum class Trailing : uint32_t {
  error = WP_TRAILING_ERROR,
  warn = WP_TRAILING_WARN,
  ignore = WP_TRAILING_IGNORE,
};

// ReaderOptions().fastq().records_per_block(1000); what is not set is the default.
class ReaderOptions {
 public:
  // What a block holds: whole lines, or records that end with another byte ...
  ReaderOptions &lines() {
    native_.split = WP_SPLIT_LINES;
    native_.has_delimiter = 0;
    return *this;
  }
  ReaderOptions &lines(char delimiter) {
    native_.split = WP_SPLIT_LINES;
    native_.has_delimiter = 1;
    native_.delimiter = static_cast<uint8_t>(delimiter);
    return *this;
  }
  // ... records of four lines ...
  ReaderOptions &fastq() {
    native_.split = WP_SPLIT_FASTQ;
    return *this;
  }
  // ... or records of so many bytes.
  ReaderOptions &fixed(uint64_t record_size) {
    native_.split = WP_SPLIT_FIXED;
    native_.record_size = record_size;
    return *this;
  }
  ReaderOptions &records_per_block(uint64_t records) {
    native_.records_per_block = records;
    return *this;
  }
  ReaderOptions &bytes_per_block(uint64_t bytes) {
    native_.bytes_per_block = bytes;
    return *this;
  }
  // Bytes; 0: 256 MiB.
  ReaderOptions &max_record(uint64_t bytes) {
    native_.max_record = bytes;
    return *this;
  }
  // Largest zstd window in bytes; 0: 128 MiB.
  ReaderOptions &max_window(uint64_t bytes) {
    native_.max_window = bytes;
    return *this;
  }
  ReaderOptions &trailing(Trailing what) {
    native_.trailing = static_cast<uint32_t>(what);
    return *this;
  }
  // Path of a .gzi index of the file, for seeks.
  ReaderOptions &bgzf_index(std::string path) {
    bgzf_index_ = std::move(path);
    return *this;
  }
  // Unpacks on the workers of a pool, ahead of the reads; see wp_reader_open.
  ReaderOptions &pool(const Pool &pool) {
    native_.pool = pool.handle();
    keeps_ = pool.owner_;
    return *this;
  }

 private:
  friend class Reader;
  wp_reader_options native() const {
    wp_reader_options native = native_;
    if (!bgzf_index_.empty()) native.bgzf_index = bgzf_index_.c_str();
    return native;
  }
  wp_reader_options native_ = WP_READER_OPTIONS_INIT;
  std::string bgzf_index_;
  std::shared_ptr<void> keeps_;
};

using Chunk = wp_chunk;
using ReaderInfo = wp_reader_info;
using WriterInfo = wp_writer_info;

// A plain, gzip, BGZF or zstd file, told apart by content. Threads: one at a time.
class Reader {
 public:
  // Throws Error: WP_IO_FAILED, WP_UNSUPPORTED, WP_INVALID_ARGUMENT, WP_NO_MEMORY.
  explicit Reader(const std::string &path, const ReaderOptions &options = {}) {
    wp_reader *reader = nullptr;
    const wp_reader_options native = options.native();
    detail::check(wp_reader_open(path.c_str(), &native, &reader));
    owner_ = detail::own<detail::ReaderOwner>(reader, options.keeps_);
  }
  // The descriptor is duplicated. `name` stands for the path in messages; nullptr: "descriptor".
  explicit Reader(int descriptor, const char *name = nullptr, const ReaderOptions &options = {}) {
    wp_reader *reader = nullptr;
    const wp_reader_options native = options.native();
    detail::check(wp_reader_open_fd(descriptor, name, &native, &reader));
    owner_ = detail::own<detail::ReaderOwner>(reader, options.keeps_);
  }
  Reader(Reader &&) noexcept = default;
  Reader &operator=(Reader &&) noexcept = default;

  // Fills `data` with decoded bytes; less than `size` only at the end, then 0. Throws Error as
  // wp_reader_read returns. Not to be mixed with next().
  size_t read(void *data, size_t size) {
    size_t got = 0;
    detail::check(wp_reader_read(handle(), data, size, &got));
    return got;
  }

  // The next block of whole records, borrowed until the next call; nothing after the last one.
  std::optional<Chunk> next() {
    Chunk chunk{};
    if (detail::check(wp_reader_next(handle(), &chunk)) == WP_END) return std::nullopt;
    return chunk;
  }
  // The same in memory of the caller, which grows where a block needs more; the chunk is at its start.
  std::optional<Chunk> next(std::vector<uint8_t> &memory) {
    Chunk chunk{};
    int32_t status = wp_reader_next_into(handle(), memory.data(), memory.size(), &chunk);
    if (status == WP_LIMIT_EXCEEDED && chunk.size > memory.size()) {
      memory.resize(chunk.size);
      status = wp_reader_next_into(handle(), memory.data(), memory.size(), &chunk);
    }
    if (detail::check(status) == WP_END) return std::nullopt;
    return chunk;
  }

  // Random access, for the files that wp_reader_seek names: a byte of the decoded bytes, or a virtual
  // offset of BGZF. Throws Error: WP_UNSUPPORTED, WP_BUSY (a pipeline reads) and as the C functions.
  void seek(uint64_t offset) { detail::check(wp_reader_seek(handle(), offset)); }
  uint64_t tell() const {
    uint64_t offset = 0;
    detail::check(wp_reader_tell(handle(), &offset));
    return offset;
  }
  void seek_virtual(uint64_t offset) { detail::check(wp_reader_seek_virtual(handle(), offset)); }
  uint64_t tell_virtual() const {
    uint64_t offset = 0;
    detail::check(wp_reader_tell_virtual(handle(), &offset));
    return offset;
  }

  // What the file turned out to be so far.
  ReaderInfo info() const {
    ReaderInfo info{};
    info.struct_size = sizeof info;
    detail::check(wp_reader_get_info(handle(), &info));
    return info;
  }
  // Things worth telling that are no errors; complete at the end.
  std::vector<std::string> notes() const {
    std::vector<std::string> notes;
    while (const char *note = wp_reader_note(handle(), notes.size())) notes.emplace_back(note);
    return notes;
  }

  // Throws Error WP_BUSY while a pipeline reads from it.
  void close() {
    if (!owner_) return;
    detail::check(owner_->close());
    owner_.reset();
  }

  // For functions of workpool.h; nullptr when it is closed. Borrowed.
  wp_reader *handle() const noexcept { return detail::handle_of(owner_); }

 private:
  friend class Pipeline;
  std::shared_ptr<detail::ReaderOwner> owner_;
};

// WriterOptions().compression(Compression::zstd).overwrite(); what is not set is the default.
class WriterOptions {
 public:
  WriterOptions &compression(Compression compression) {
    native_.compression = static_cast<uint32_t>(compression);
    return *this;
  }
  // gzip 0-9 [6], zstd 1-22 [5].
  WriterOptions &level(int32_t level) {
    native_.has_level = 1;
    native_.level = level;
    return *this;
  }
  // Replace an existing file.
  WriterOptions &overwrite(bool yes = true) { return flag(WP_WRITER_OVERWRITE, yes); }
  // fsync before the name appears.
  WriterOptions &sync(bool yes = true) { return flag(WP_WRITER_SYNC, yes); }
  // gzip: also write an index there, as bgzip --reindex does (.gzi).
  WriterOptions &bgzf_index(std::string path) {
    bgzf_index_ = std::move(path);
    return *this;
  }
  // zstd: end with a seek table.
  WriterOptions &zstd_seek_table(bool yes = true) { return flag(WP_WRITER_ZSTD_SEEK_TABLE, yes); }

 private:
  friend class Writer;
  WriterOptions &flag(uint32_t bit, bool yes) {
    native_.flags = yes ? native_.flags | bit : native_.flags & ~bit;
    return *this;
  }
  wp_writer_options native() const {
    wp_writer_options native = native_;
    if (!bgzf_index_.empty()) native.bgzf_index = bgzf_index_.c_str();
    return native;
  }
  wp_writer_options native_ = WP_WRITER_OPTIONS_INIT;
  std::string bgzf_index_;
};

// An output, which gets its name when it is finished; without that it is removed. Threads: one at a
// time.
class Writer {
 public:
  // Throws Error: WP_OUTPUT_EXISTS, WP_IO_FAILED, WP_INVALID_ARGUMENT, WP_NO_MEMORY.
  explicit Writer(const std::string &path, const WriterOptions &options = {}) {
    wp_writer *writer = nullptr;
    const wp_writer_options native = options.native();
    detail::check(wp_writer_open(path.c_str(), &native, &writer));
    owner_ = detail::own<detail::WriterOwner>(writer);
  }
  // The descriptor is duplicated. `name` stands for the path in messages; nullptr: "descriptor".
  explicit Writer(int descriptor, const char *name = nullptr, const WriterOptions &options = {}) {
    wp_writer *writer = nullptr;
    const wp_writer_options native = options.native();
    detail::check(wp_writer_open_fd(descriptor, name, &native, &writer));
    owner_ = detail::own<detail::WriterOwner>(writer);
  }
  Writer(Writer &&) noexcept = default;
  Writer &operator=(Writer &&) noexcept = default;

  // Throws Error: WP_IO_FAILED, WP_NO_MEMORY, WP_INVALID_STATE.
  void write(Bytes bytes) { detail::check(wp_writer_write(handle(), bytes.data, bytes.size)); }
  void write(const void *data, size_t size) { write(Bytes(data, size)); }

  // Completes the file, which gets its name now. Throws Error: WP_IO_FAILED, WP_OUTPUT_EXISTS,
  // WP_NO_MEMORY, WP_INVALID_STATE, WP_BUSY (the run that writes has not ended).
  WriterInfo finish() {
    WriterInfo info{};
    info.struct_size = sizeof info;
    detail::check(wp_writer_finish(handle(), &info));
    return info;
  }

  // Throws Error WP_BUSY while a pipeline writes to it.
  void close() {
    if (!owner_) return;
    detail::check(owner_->close());
    owner_.reset();
  }

  // For functions of workpool.h; nullptr when it is closed. Borrowed.
  wp_writer *handle() const noexcept { return detail::handle_of(owner_); }

 private:
  friend class Pipeline;
  std::shared_ptr<detail::WriterOwner> owner_;
};

inline Pipeline &Pipeline::source(const Reader &reader) {
  core().keeps.push_back(reader.owner_);
  detail::check(wp_pipeline_set_reader(handle(), reader.handle()));
  return *this;
}

inline Pipeline &Pipeline::sink(const Writer &writer) {
  core().keeps.push_back(writer.owner_);
  detail::check(wp_pipeline_set_writer(handle(), writer.handle()));
  return *this;
}

// ===== 8 FASTQ: recipes ========================================================================

// A step of the built-in catalogue; all of it is valid for ever.
struct StepInfo {
  const char *name;
  const char *summary;
  const char *keys;  // such as "n: int, segment: segment"
};

// Threads: any.
inline std::vector<StepInfo> steps() {
  std::vector<StepInfo> steps;
  StepInfo step{};
  while (wp_step_info(steps.size(), &step.name, &step.summary, &step.keys) == WP_OK) {
    steps.push_back(step);
  }
  return steps;
}

// RunOptions().overwrite().records_per_block(1000); what is not set is the default.
class RunOptions {
 public:
  // A plain loop on the calling thread, no workers.
  RunOptions &serial_reference(bool yes = true) { return flag(WP_RUN_SERIAL_REFERENCE, yes); }
  // Replace existing outputs.
  RunOptions &overwrite(bool yes = true) { return flag(WP_RUN_OVERWRITE, yes); }
  RunOptions &max_blocks_in_flight(uint32_t blocks) {
    native_.max_blocks_in_flight = blocks;
    return *this;
  }
  // Of all outputs.
  RunOptions &compression(Compression compression) {
    native_.compression = static_cast<uint32_t>(compression);
    return *this;
  }
  RunOptions &level(int32_t level) {
    native_.has_level = 1;
    native_.level = level;
    return *this;
  }
  // 0: 10,000.
  RunOptions &records_per_block(uint64_t records) {
    native_.records_per_block = records;
    return *this;
  }
  RunOptions &token(const Token &token) {
    token_ = token.owner_;
    return *this;
  }
  // Called on the thread that runs, every now and then and at the end. What it throws cancels the
  // run and is thrown again by it.
  RunOptions &progress(std::function<void(uint64_t reads, uint64_t bytes)> function,
                       std::chrono::nanoseconds every = std::chrono::milliseconds(100)) {
    progress_ = std::move(function);
    native_.progress_ns = every.count();
    return *this;
  }

 private:
  friend class Recipe;
  RunOptions &flag(uint32_t bit, bool yes) {
    native_.flags = yes ? native_.flags | bit : native_.flags & ~bit;
    return *this;
  }
  // A token of the run's own, which a failing progress function cancels.
  Token run_token() const { return Token(token_); }
  wp_run_options native_ = WP_RUN_OPTIONS_INIT;
  std::shared_ptr<detail::TokenOwner> token_;
  std::function<void(uint64_t, uint64_t)> progress_;
};

// What a run has done; the fields of wp_run_report.
struct RunReport : wp_run_report {
  // A Head ended the input: a success.
  bool is_stopped() const noexcept { return status == WP_STOPPED; }
};

// A key of a step and its value.
class Param {
 public:
  Param(std::string key, bool value) : Param(std::move(key), WP_PARAM_BOOL, Kind{}) { integer_ = value; }
  template <typename Integer,
            std::enable_if_t<std::is_integral_v<Integer> && !std::is_same_v<Integer, bool>, int> = 0>
  Param(std::string key, Integer value) : Param(std::move(key), WP_PARAM_INT, Kind{}) {
    integer_ = static_cast<int64_t>(value);
  }
  Param(std::string key, double value) : Param(std::move(key), WP_PARAM_DOUBLE, Kind{}) { number_ = value; }
  Param(std::string key, std::string value) : Param(std::move(key), WP_PARAM_TEXT, Kind{}) {
    text_ = std::move(value);
  }
  Param(std::string key, const char *value) : Param(std::move(key), std::string(value)) {}
  Param(std::string key, std::vector<std::string> values) : Param(std::move(key), WP_PARAM_TEXTS, Kind{}) {
    texts_ = std::move(values);
  }
  // Any value as TOML has it.
  static Param toml(std::string key, std::string value) {
    Param param(std::move(key), std::move(value));
    param.type_ = WP_PARAM_TOML;
    return param;
  }

 private:
  friend class Recipe;
  enum class Kind : uint32_t {};
  Param(std::string key, uint32_t type, Kind) : key_(std::move(key)), type_(type) {}
  wp_param native(const char *const *texts) const noexcept {
    return {key_.c_str(), type_, static_cast<uint32_t>(texts_.size()), integer_, number_,
            text_.c_str(), texts};
  }
  std::string key_;
  uint32_t type_;
  int64_t integer_ = 0;
  double number_ = 0;
  std::string text_;
  std::vector<std::string> texts_;
};

// Steps on FASTQ reads. Threads: one at a time.
class Recipe {
 public:
  // Reads of so many segments, "read1", "read2", ... . Throws Error: WP_INVALID_ARGUMENT,
  // WP_NO_MEMORY.
  explicit Recipe(size_t segments = 1, bool is_interleaved = false)
      : Recipe(nullptr, segments, is_interleaved) {}
  // Names: letters, digits and '_'.
  explicit Recipe(const std::vector<std::string> &segments, bool is_interleaved = false)
      : Recipe(pointers(segments).data(), segments.size(), is_interleaved) {}

  // A step as on the command line: "CutStart n=5". Throws Error: WP_INVALID_ARGUMENT,
  // WP_INVALID_STATE.
  Recipe &add(const std::string &step) {
    detail::check(wp_recipe_add(handle(), step.c_str()));
    return *this;
  }
  // A step by name with typed values: add("CutStart", {{"n", 5}, {"segment", "read1"}}). Throws Error:
  // WP_INVALID_ARGUMENT, WP_INVALID_STATE.
  Recipe &add(const std::string &action, const std::vector<Param> &params) {
    std::vector<std::vector<const char *>> texts;
    std::vector<wp_param> native;
    for (const Param &param : params) {
      texts.push_back(pointers(param.texts_));
      native.push_back(param.native(texts.back().data()));
    }
    detail::check(
        wp_recipe_add_step(handle(), action.c_str(), native.data(), native.size()));
    return *this;
  }
  // A barcode of a section that Demultiplex and HammingCorrect name, and its stream. Throws Error:
  // WP_INVALID_ARGUMENT, WP_INVALID_STATE.
  Recipe &barcode(const std::string &section, const std::string &barcode,
                  const std::string &stream) {
    detail::check(
        wp_recipe_add_barcode(handle(), section.c_str(), barcode.c_str(), stream.c_str()));
    return *this;
  }
  // How the names of the files of steps begin, and those of outputs where run is given none. Throws
  // Error: WP_INVALID_ARGUMENT, WP_INVALID_STATE.
  Recipe &prefix(const std::string &prefix) {
    detail::check(wp_recipe_set_prefix(handle(), prefix.c_str()));
    return *this;
  }

  // Judges the steps together. Throws Error WP_INVALID_ARGUMENT that lists all that is wrong.
  void check() { detail::check(wp_recipe_check(handle())); }

  // Runs files through the recipe: one input per segment, or one if it is interleaved; one output
  // per segment, or one for all, or none for a recipe with a prefix. Throws Error: WP_CANCELLED, WP_MALFORMED_RECORD and all that
  // readers, writers and steps have. Not in a callback of a pipeline on the same pool.
  RunReport run(const Pool &pool, const std::vector<std::string> &inputs,
                const std::vector<std::string> &outputs = {}, const RunOptions &options = {}) {
    const Token token = options.run_token();
    Progress progress{options.progress_, token.handle(), {}};
    wp_run_options native = options.native_;
    native.token = token.handle();
    if (options.progress_) {
      native.progress = Progress::call;
      native.progress_context = &progress;
    }
    RunReport report{};
    report.struct_size = sizeof(wp_run_report);
    const auto from = pointers(inputs), to = pointers(outputs);
    const int32_t status = wp_recipe_run(handle(), pool.handle(), from.data(), from.size(),
                                         to.data(), to.size(), &native, &report);
    progress.failure.rethrow();
    detail::check(status);
    return report;
  }

  // For functions of workpool.h. Borrowed.
  wp_recipe *handle() const noexcept { return handle_.get(); }

 private:
  struct Progress {
    const std::function<void(uint64_t, uint64_t)> &function;
    wp_token *token;
    detail::FirstFailure failure;

    static void call(void *context, uint64_t reads, uint64_t bytes) noexcept {
      auto &self = *static_cast<Progress *>(context);
      try {
        self.function(reads, bytes);
      } catch (...) {
        self.failure.keep();
        wp_token_cancel(self.token);
      }
    }
  };
  struct Destroy {
    void operator()(wp_recipe *recipe) const noexcept { wp_recipe_destroy(recipe); }
  };

  Recipe(const char *const *names, size_t segments, bool is_interleaved) {
    wp_recipe *recipe = nullptr;
    detail::check(wp_recipe_create(names, segments, is_interleaved ? 1 : 0, &recipe));
    handle_.reset(recipe);
  }
  static std::vector<const char *> pointers(const std::vector<std::string> &texts) {
    std::vector<const char *> pointers;
    for (const std::string &text : texts) pointers.push_back(text.c_str());
    return pointers;
  }

  std::unique_ptr<wp_recipe, Destroy> handle_;
};

// ===== 9 Jobs ==================================================================================

enum class JobState : int32_t {
  pending = WP_JOB_PENDING,
  waiting = WP_JOB_WAITING,
  ready = WP_JOB_READY,
  running = WP_JOB_RUNNING,
  completed = WP_JOB_COMPLETED,
  failed = WP_JOB_FAILED,
  timeout = WP_JOB_TIMEOUT,
  cancelled = WP_JOB_CANCELLED,
  skipped = WP_JOB_SKIPPED,
};

using JobPoolStatus = wp_jobpool_status;
using JobPoolMetrics = wp_jobpool_metrics;
using JobPoolOptions = wp_jobpool_options;

// Options of a pool of jobs, to be filled as in C: JobPoolOptions o = default_job_options();
inline JobPoolOptions default_job_options() noexcept { return WP_JOBPOOL_OPTIONS_INIT; }

// JobOptions("load").after({"fetch", "clean"}).retries(3); what is not set is the default of the pool.
class JobOptions {
 public:
  // Empty: the pool gives it one.
  explicit JobOptions(std::string id = {}) : id_(std::move(id)) {}

  JobOptions &after(std::vector<std::string> ids) {
    dependencies_ = std::move(ids);
    return *this;
  }
  // WP_WHEN_... .
  JobOptions &when(uint32_t condition) {
    native_.when = condition;
    return *this;
  }
  JobOptions &allow_failure(bool yes = true) {
    native_.allow_failure = yes ? 1 : -1;
    return *this;
  }
  JobOptions &priority(int32_t priority) {
    native_.priority = priority;
    return *this;
  }
  // WP_HINT_... .
  JobOptions &hint(uint32_t hint) {
    native_.hint = hint;
    return *this;
  }
  JobOptions &cpus(uint32_t count) {
    native_.cpus = count;
    return *this;
  }
  JobOptions &memory(uint64_t bytes) {
    native_.memory = bytes;
    return *this;
  }
  // Units of a named pool.
  JobOptions &takes(std::string pool, uint32_t count = 1) {
    pools_.emplace_back(std::move(pool), count);
    return *this;
  }
  JobOptions &retries(int32_t count) {
    native_.max_retries = count > 0 ? count : -1;
    return *this;
  }
  // Before the second attempt, and how many times as long each time after it.
  JobOptions &retry_delay(Timeout delay, double factor = 1) {
    native_.retry_delay_ns = delay.nanoseconds() > 0 ? delay.nanoseconds() : -1;
    native_.retry_factor = factor;
    return *this;
  }
  // Of an attempt.
  JobOptions &timeout(Timeout time) {
    native_.timeout_ns = time.nanoseconds() != 0 ? time.nanoseconds() : 1;
    return *this;
  }
  // From the first start over all attempts.
  JobOptions &deadline(Timeout time) {
    native_.deadline_ns = time.nanoseconds() != 0 ? time.nanoseconds() : 1;
    return *this;
  }
  // For records: files that are there once it is done, and what its results depend on.
  JobOptions &outputs(std::vector<std::string> paths) {
    outputs_ = std::move(paths);
    return *this;
  }
  JobOptions &definition(std::string text) {
    definition_ = std::move(text);
    return *this;
  }
  // Cancels it from outside; must outlive the job.
  JobOptions &token(const Token &token) {
    native_.token = token.handle();
    return *this;
  }

 private:
  friend class JobPool;
  std::string id_;
  std::vector<std::string> dependencies_;
  std::vector<std::string> outputs_;
  std::string definition_;
  std::vector<std::pair<std::string, uint32_t>> pools_;
  wp_job_options native_ = WP_JOB_OPTIONS_INIT;
};

// Given to a job's function, valid until it returns.
class JobContext {
 public:
  explicit JobContext(wp_job_context *handle) noexcept : handle_(handle) {}

  std::string id() const { return wp_job_context_id(handle_); }
  // From 1.
  int32_t attempt() const noexcept { return wp_job_context_attempt(handle_); }
  int32_t slot() const noexcept { return wp_job_context_slot(handle_); }
  // Whether the job shall stop.
  bool is_cancelled() const noexcept {
    return wp_token_is_cancelled(wp_job_context_token(handle_)) != 0;
  }
  // Throws Error WP_CANCELLED if it shall.
  void check() const {
    if (is_cancelled()) throw Error(WP_CANCELLED);
  }
  // How far the job is: of total, 0: nobody knows.
  void progress(uint64_t done, uint64_t total = 0) {
    detail::check(wp_job_context_progress(handle_, done, total));
  }
  // Copies.
  void set_result(const void *data, size_t size) {
    detail::check(wp_job_context_set_result(handle_, data, size));
  }

  // A line for wp_jobpool_set_log, and for the attempt's log where a record is kept. level: WP_LOG_... ; json:
  // one value; empty: none.
  void log(int32_t level, const std::string &text, const std::string &phase = {},
           const std::string &json = {}) {
    detail::check(wp_job_context_log(handle_, level, phase.empty() ? nullptr : phase.c_str(),
                                     text.c_str(), json.empty() ? nullptr : json.c_str()));
  }

  // For functions of workpool.h. Borrowed.
  wp_job_context *handle() const noexcept { return handle_; }

 private:
  wp_job_context *handle_;
};

// One attempt, times in seconds since the pool was made; see wp_job_bar.
struct JobBar {
  std::string id;
  double start_time = 0;
  double duration = 0;
  int32_t attempt = 0;
  int32_t slot = -1;
  int32_t lane = 0;
  JobState state = JobState::pending;
};

// What a record tells of a job; see wp_run_job.
struct RunJob {
  std::string id;
  JobState state = JobState::pending;
  int32_t reason = WP_REASON_NONE;
  int32_t detail = 0;
  int32_t attempts = 0;
  bool is_interrupted = false;
  int64_t start_ns = -1;
  int64_t end_ns = -1;
  std::string text;
  std::string added_by;
  std::string definition;
};

// The record of a run, of a JobPool or of `wpool run`.
class RunRecord {
 public:
  // run: an id, the beginning of one; empty: the last one in the folder. Throws Error WP_NOT_FOUND,
  // WP_IO_FAILED, WP_CORRUPT_INPUT.
  explicit RunRecord(const std::string &folder, const std::string &run = {}) {
    wp_run_record *record = nullptr;
    detail::check(
        wp_run_record_open(folder.c_str(), run.empty() ? nullptr : run.c_str(), &record));
    handle_.reset(record);
  }

  // The jobs that have not been read, in the order of submission.
  std::vector<RunJob> jobs() {
    std::vector<RunJob> jobs;
    wp_run_job told{};
    told.struct_size = sizeof told;
    while (detail::check(wp_run_record_next_job(handle(), &told)) == WP_OK) {
      jobs.push_back({told.id, static_cast<JobState>(told.state), told.reason, told.detail,
                      told.attempts, told.interrupted != 0, told.start_ns, told.end_ns, told.text,
                      told.added_by, told.definition});
    }
    return jobs;
  }

  // For functions of workpool.h. Borrowed.
  wp_run_record *handle() const noexcept { return handle_.get(); }

 private:
  struct Destroy {
    void operator()(wp_run_record *record) const noexcept {
      static_cast<void>(wp_run_record_close(record));
    }
  };
  std::unique_ptr<wp_run_record, Destroy> handle_;
};

class Batch;

// Runs functions and commands as jobs. When it goes, what has not started is cancelled, and what runs is
// asked to stop and waited for.
class JobPool {
 public:
  // Throws Error: WP_INVALID_ARGUMENT, WP_NO_MEMORY.
  explicit JobPool(const JobPoolOptions &options = default_job_options())
      : handle_(create(nullptr, options)) {}
  // On the workers of a pool, which must outlive it.
  explicit JobPool(const Pool &pool, const JobPoolOptions &options = default_job_options())
      : handle_(create(pool.handle(), options)) {}
  JobPool(JobPool &&) noexcept = default;
  JobPool &operator=(JobPool &&) noexcept = default;

  // Calls function(JobContext &) for every attempt. An Error fails the job with its status (WP_CANCELLED: it has
  // stopped, WP_NO_RETRY: for good), any other exception with what it says. Throws Error: see
  // wp_jobpool_submit. Threads: any, also inside callbacks.
  wp_job submit(const JobOptions &options, std::function<void(JobContext &)> function) {
    auto context = std::make_unique<std::function<void(JobContext &)>>(std::move(function));
    wp_job_options native = options.native_;
    native.kind = WP_JOB_CALLBACK;
    native.fn = call;
    native.context = context.get();
    native.destroy_context = [](void *kept) noexcept {
      delete static_cast<std::function<void(JobContext &)> *>(kept);
    };
    const wp_job job = submit(options, native);
    static_cast<void>(context.release());  // the pool's from here on
    return job;
  }
  // A child process; the first word is the program. Throws as above.
  wp_job submit(const JobOptions &options, const std::vector<std::string> &command) {
    std::vector<const char *> words;
    for (const std::string &word : command) words.push_back(word.c_str());
    wp_job_options native = options.native_;
    native.kind = WP_JOB_COMMAND;
    native.argv = words.data();
    native.argc = static_cast<uint32_t>(words.size());
    return submit(options, native);
  }

  // Throws Error WP_NOT_FOUND.
  JobState state(wp_job job) const {
    return static_cast<JobState>(detail::check(wp_job_state(handle(), job)));
  }
  // WP_REASON_... .
  int32_t reason(wp_job job) const {
    return detail::check(wp_job_reason(handle(), job, nullptr));
  }
  std::string id(wp_job job) const { return text(wp_job_id, job); }
  std::string error(wp_job job) const { return text(wp_job_error, job); }
  // `cancelled: fetch failed (exit 3) → clean → load`
  std::string cause(wp_job job) const { return text(wp_job_cause_text, job); }
  std::string result(wp_job job) const {
    size_t length = 0;
    detail::check(wp_job_result(handle(), job, nullptr, 0, &length));
    std::string bytes(length, '\0');
    detail::check(wp_job_result(handle(), job, bytes.data(), length, nullptr));
    return bytes;
  }
  wp_job find(const std::string &id) const {
    wp_job job = 0;
    detail::check(wp_job_find(handle(), id.c_str(), &job));
    return job;
  }

  // The state it was in.
  JobState cancel(wp_job job) {
    return static_cast<JobState>(detail::check(wp_job_cancel(handle(), job)));
  }
  void cancel_all() { detail::check(wp_jobpool_cancel_all(handle())); }

  // False when the time is over, which has no effect on jobs. flags: WP_WAIT_HELP. Throws Error.
  bool wait(wp_job job, Timeout timeout = forever, uint32_t flags = 0) const {
    return in_time(wp_job_wait(handle(), job, timeout.nanoseconds(), flags));
  }
  bool wait_all(Timeout timeout = forever) const {
    return in_time(wp_jobpool_wait_all(handle(), timeout.nanoseconds()));
  }
  // No more jobs; see wp_jobpool_shutdown. Throws Error WP_TIMED_OUT naming a job that is stuck.
  void shutdown(Timeout timeout = forever) {
    detail::check(wp_jobpool_shutdown(handle(), 1, timeout.nanoseconds()));
  }

  // Keeps a record in a new folder in this one, from before the first job on. run_id: empty: a new one; sync:
  // WP_SYNC_... . Throws Error.
  void record_to(const std::string &folder, const std::string &run_id = {},
                 uint32_t sync = WP_SYNC_GROUP) {
    wp_record_options options = WP_RECORD_OPTIONS_INIT;
    options.sync = sync;
    options.run_id = run_id.empty() ? nullptr : run_id.c_str();
    detail::check(wp_jobpool_record_to(handle(), folder.c_str(), &options));
  }
  // The folder of the run.
  std::string run_folder() const {
    return text([](wp_jobpool *jobs, wp_job, char *room, size_t size, size_t *length) {
      return wp_jobpool_run_folder(jobs, room, size, length);
    }, 0);
  }
  // Jobs that come from now on are skipped if that run has done them. orphans: WP_ORPHANS_... . Throws
  // Error WP_BUSY if the run, or processes of it, are under way.
  void resume_from(const RunRecord &record, uint32_t orphans = WP_ORPHANS_REFUSE) {
    detail::check(wp_jobpool_resume_from(handle(), record.handle(), orphans));
  }

  // Items, each one JSON value, through the workers of a batch, which must outlive the job and has the results
  // afterwards. Throws as above.
  wp_job submit(const JobOptions &options, const Batch &batch,
                const std::vector<std::string> &items);

  // Calls watch(event) for every event whose bit (1 << WP_EVENT_...) is in mask, in their order, on a thread
  // of its own; it must not throw. What unsubscribe takes.
  uint64_t subscribe(std::function<void(const wp_job_event &)> watch,
                     uint32_t mask = WP_EVENT_ALL) {
    using Watch = std::function<void(const wp_job_event &)>;
    auto context = std::make_unique<Watch>(std::move(watch));
    uint64_t id = 0;
    detail::check(wp_jobpool_subscribe(
        handle(), mask,
        [](void *kept, const wp_job_event *event) noexcept { (*static_cast<Watch *>(kept))(*event); },
        context.get(), [](void *kept) noexcept { delete static_cast<Watch *>(kept); }, &id));
    static_cast<void>(context.release());  // the pool's from here on
    return id;
  }
  // It has been told of all that happened before. Throws Error.
  void unsubscribe(uint64_t id) { detail::check(wp_jobpool_unsubscribe(handle(), id)); }

  // Every attempt of the jobs that are known.
  std::vector<JobBar> timeline() const {
    std::vector<JobBar> bars;
    detail::check(wp_jobpool_timeline(
        handle(),
        [](void *kept, const wp_job_bar *bar) noexcept {
          static_cast<std::vector<JobBar> *>(kept)->push_back(
              {bar->id, bar->start_time, bar->duration, bar->attempt, bar->slot, bar->lane,
               static_cast<JobState>(bar->state)});
          return int32_t{0};
        },
        &bars));
    return bars;
  }
  // As Trace Event JSON, and as a picture. Throw Error WP_IO_FAILED.
  void write_trace(const std::string &path) const {
    detail::check(wp_jobpool_write_trace(handle(), path.c_str()));
  }
  void write_svg(const std::string &path) const {
    detail::check(wp_jobpool_write_svg(handle(), path.c_str()));
  }

  JobPoolStatus status() const {
    JobPoolStatus status{};
    status.struct_size = sizeof status;
    detail::check(wp_jobpool_get_status(handle(), &status));
    return status;
  }
  JobPoolMetrics metrics() const {
    JobPoolMetrics metrics{};
    metrics.struct_size = sizeof metrics;
    detail::check(wp_jobpool_get_metrics(handle(), &metrics));
    return metrics;
  }

  // For functions of workpool.h. Borrowed.
  wp_jobpool *handle() const noexcept { return handle_.get(); }

 private:
  struct Destroy {
    // A callback that does not stop keeps it: then it stays.
    void operator()(wp_jobpool *jobs) const noexcept {
      static_cast<void>(wp_jobpool_shutdown(jobs, 1, 0));
      static_cast<void>(wp_jobpool_destroy(jobs));
    }
  };

  static wp_jobpool *create(wp_pool *pool, const JobPoolOptions &options) {
    wp_jobpool *jobs = nullptr;
    detail::check(wp_jobpool_create(pool, &options, &jobs));
    return jobs;
  }

  static int32_t call(void *context, wp_job_context *job) noexcept {
    try {
      JobContext here(job);
      (*static_cast<std::function<void(JobContext &)> *>(context))(here);
      return WP_OK;
    } catch (const Error &error) {
      static_cast<void>(wp_job_context_set_error(job, nullptr, error.what()));
      return error.status() < 0 ? error.status() : WP_USER_CODE;
    } catch (const std::exception &error) {
      static_cast<void>(wp_job_context_set_error(job, "std::exception", error.what()));
    } catch (...) {
      static_cast<void>(wp_job_context_set_error(job, "exception", "of an unknown type"));
    }
    return WP_USER_CODE;
  }

  wp_job submit(const JobOptions &options, wp_job_options &native) {
    std::vector<const char *> needs;
    for (const std::string &id : options.dependencies_) needs.push_back(id.c_str());
    std::vector<wp_pool_request> pools;
    for (const auto &[name, count] : options.pools_) pools.push_back({name.c_str(), count, 0});
    std::vector<const char *> outputs;
    for (const std::string &path : options.outputs_) outputs.push_back(path.c_str());
    native.outputs = outputs.data();
    native.output_count = static_cast<uint32_t>(outputs.size());
    if (!options.definition_.empty()) native.definition = options.definition_.c_str();
    if (!options.id_.empty()) native.id = options.id_.c_str();
    native.dependencies = needs.data();
    native.dependency_count = static_cast<uint32_t>(needs.size());
    native.pools = pools.data();
    native.pool_count = static_cast<uint32_t>(pools.size());
    wp_job job = 0;
    detail::check(wp_jobpool_submit(handle(), &native, 0, -1, &job));
    return job;
  }

  template <class Function>
  std::string text(Function function, wp_job job) const {
    size_t length = 0;
    detail::check(function(handle(), job, nullptr, 0, &length));
    std::string text(length + 1, '\0');
    detail::check(function(handle(), job, text.data(), text.size(), nullptr));
    text.resize(std::strlen(text.c_str()));
    return text;
  }

  static bool in_time(int32_t status) {
    if (status == WP_TIMED_OUT) return false;
    detail::check(status);
    return true;
  }

  std::unique_ptr<wp_jobpool, Destroy> handle_;
};

// ===== 10 Batches ==============================================================================

// What became of an item; see wp_batch_result.
struct BatchResult {
  int32_t state = WP_JOB_PENDING;  // WP_JOB_COMPLETED, FAILED, SKIPPED or CANCELLED
  int32_t reason = WP_REASON_NONE;
  int32_t detail = 0;
  uint32_t attempts = 0;
  uint32_t crashes = 0;
  std::string phase;
  std::string error;
  std::string data;  // JSON
  bool ok() const noexcept { return state == WP_JOB_COMPLETED || state == WP_JOB_SKIPPED; }
};

// Worker processes that get items in batches and answer; the protocol is in workpool.h.
class Batch {
 public:
  // options: those of wp_batch_options but for on_result; texts are copied. Throws Error.
  explicit Batch(const std::vector<std::string> &command,
                 const wp_batch_options &options = WP_BATCH_OPTIONS_INIT) {
    std::vector<const char *> words;
    for (const std::string &word : command) words.push_back(word.c_str());
    wp_batch *batch = nullptr;
    detail::check(
        wp_batch_create(words.data(), static_cast<uint32_t>(words.size()), &options, &batch));
    handle_.reset(batch);
  }

  // Runs all items, each one JSON value; a result for each, in order. Throws Error: also when it was
  // cancelled, workers do not start, or an item's failure was fatal; then result() tells the rest.
  // Threads: one at a time.
  std::vector<BatchResult> run(const std::vector<std::string> &items) {
    std::vector<wp_batch_item> native;
    for (const std::string &item : items) native.push_back({item.data(), item.size()});
    detail::check(wp_batch_run(handle_.get(), native.data(), native.size()));
    std::vector<BatchResult> results;
    for (size_t index = 0; index < items.size(); index++) results.push_back(result(index));
    return results;
  }

  // A result of the last run. Throws Error, std::out_of_range.
  BatchResult result(size_t index) const {
    wp_batch_result native{};
    native.struct_size = sizeof native;
    if (detail::check(wp_batch_result_at(handle_.get(), index, &native)) == WP_END) {
      throw std::out_of_range("there is no such item");
    }
    return {native.state, native.reason, native.detail, native.attempts, native.crashes,
            native.phase, native.error, std::string(native.data, native.data_size)};
  }

  // Items without a result are cancelled, workers asked to go or killed. Threads: any.
  void cancel(bool kills = false) { detail::check(wp_batch_cancel(handle_.get(), kills)); }

  // For functions of workpool.h. Borrowed.
  wp_batch *handle() const noexcept { return handle_.get(); }

 private:
  struct Destroy {
    void operator()(wp_batch *batch) const noexcept { wp_batch_destroy(batch); }
  };
  std::unique_ptr<wp_batch, Destroy> handle_;
};

inline wp_job JobPool::submit(const JobOptions &options, const Batch &batch,
                              const std::vector<std::string> &items) {
  std::vector<wp_batch_item> texts;
  for (const std::string &item : items) texts.push_back({item.data(), item.size()});
  wp_job_options native = options.native_;
  native.kind = WP_JOB_BATCH;
  native.batch = batch.handle();
  native.items = texts.data();
  native.item_count = texts.size();
  return submit(options, native);
}

}  // namespace workpool
#endif
