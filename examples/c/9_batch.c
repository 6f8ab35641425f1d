// SPDX-License-Identifier: MIT
/* Items dealt out to worker processes that may crash: squares of numbers, computed by processes that this
 * program starts of itself. One of them dies on the way, and nothing is lost.
 *
 *   cc batch.c -lworkpool -o batch && ./batch
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <workpool.h>

/* ----- the worker: gets batches on descriptor 3, answers on descriptor 4 ----- */

static int take(void *room, size_t size) {
  for (size_t done = 0; done < size;) {
    ssize_t n = read(3, (char *)room + done, size - done);
    if (n <= 0) return 0;
    done += (size_t)n;
  }
  return 1;
}

static void say(const char *json) {
  uint32_t size = (uint32_t)strlen(json);
  unsigned char head[4] = { size & 255, size >> 8 & 255, size >> 16 & 255, size >> 24 };
  if (write(4, head, 4) != 4 || write(4, json, size) != (ssize_t)size) exit(1);
}

static int work(void) {
  unsigned char head[4];
  char text[200];
  say("{\"type\":\"ready\",\"proto\":1}");
  while (take(head, 4)) {
    size_t size = head[0] | (size_t)head[1] << 8 | (size_t)head[2] << 16 | (size_t)head[3] << 24;
    char *message = malloc(size + 1);
    if (!message || !take(message, size)) return 1;
    message[size] = 0;
    if (strstr(message, "\"shutdown\"")) return 0;
    /* {"type":"batch","id":1,"items":[{"index":0,"attempt":1,"item":7},...]}; a program with other items
     * than numbers would use a JSON library here. */
    int batch = atoi(strstr(message, "\"id\":") + 5), index, attempt;
    long item;
    for (char *at = message; (at = strstr(at, "{\"index\":")); at++) {
      if (sscanf(at, "{\"index\":%d,\"attempt\":%d,\"item\":%ld", &index, &attempt, &item) != 3) return 1;
      snprintf(text, sizeof text, "{\"type\":\"progress\",\"item\":%d,\"status\":\"started\"}", index);
      say(text);
      if (item == 13 && attempt == 1) abort(); /* a crash: the item is run again by another worker */
      snprintf(text, sizeof text, "{\"type\":\"progress\",\"item\":%d,\"status\":\"ok\",\"data\":%ld}", index,
               item * item);
      say(text);
    }
    snprintf(text, sizeof text, "{\"type\":\"complete\",\"batch\":%d}", batch);
    say(text);
    free(message);
  }
  return 0;
}

/* ----- the program ----- */

int main(int argc, char **argv) {
  enum { COUNT = 20 };
  if (argc > 1 && strcmp(argv[1], "--worker") == 0) return work();

  char texts[COUNT][24];
  wp_batch_item items[COUNT];
  for (int i = 0; i < COUNT; i++) {
    items[i].size = (size_t)snprintf(texts[i], sizeof texts[i], "%d", i);
    items[i].json = texts[i];
  }
  const char *command[] = { argv[0], "--worker" };
  wp_batch_options options = WP_BATCH_OPTIONS_INIT;
  options.workers = 2;
  options.batch_size = 4;
  wp_batch *batch = NULL;
  if (wp_batch_create(command, 2, &options, &batch) || wp_batch_run(batch, items, COUNT)) {
    fprintf(stderr, "%s\n", wp_last_error_text());
    return 1;
  }
  int failed = 0;
  for (size_t i = 0; i < COUNT; i++) {
    wp_batch_result result = { .struct_size = sizeof result };
    if (wp_batch_result_at(batch, i, &result)) return 1;
    failed += result.state != WP_JOB_COMPLETED;
    printf("%2zu: %s %s", i, wp_job_state_name(result.state), result.data);
    if (result.crashes) printf(" (after %" PRIu32 " crash)", result.crashes);
    printf("\n");
  }
  wp_batch_destroy(batch);
  return failed > 0;
}
