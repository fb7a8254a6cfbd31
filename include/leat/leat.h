// The whole public API.
#pragma once

#include <leat/consumer.h>
#include <leat/cursor.h>
#include <leat/error.h>
#include <leat/event.h>
#include <leat/feed_address.h>
#include <leat/feed_paths.h>
#include <leat/feed_status.h>
#include <leat/journal.h>
#include <leat/producer.h>
#include <leat/result.h>
#include <leat/timeout.h>
#include <leat/topic_filter.h>
