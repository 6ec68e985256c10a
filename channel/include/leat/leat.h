/* Leat: typed channels between threads and processes. This header is all that a program includes. */
#ifndef LEAT_LEAT_H
#define LEAT_LEAT_H

#include "leat/counters.h"
#include "leat/deadline.h"
#include "leat/descriptor.h"
#include "leat/endpoint.h"
#include "leat/error.h"
#include "leat/message.h"
#include "leat/opaque.h"
#include "leat/raw.h"
#include "leat/router.h"
#include "leat/server.h"
#include "leat/set.h"
#include "leat/shared_memory.h"
#include "leat/type.h"
#include "leat/undecoded.h"
#include "leat/version.h"

#endif
