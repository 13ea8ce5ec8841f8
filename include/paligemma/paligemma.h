/* SPDX-License-Identifier: BSD-2-Clause */
/** @file paligemma/paligemma.h  The whole interface of libpaligemma. */
#ifndef PALIGEMMA_PALIGEMMA_H
#define PALIGEMMA_PALIGEMMA_H

#include <paligemma/annotations.h>
#include <paligemma/adapter.h>
#include <paligemma/attention.h>
#include <paligemma/base.h>
#include <paligemma/chat.h>
#include <paligemma/checkpoint.h>
#include <paligemma/compare.h>
#include <paligemma/config.h>
#include <paligemma/constraint.h>
#include <paligemma/embedding.h>
#include <paligemma/generate.h>
#include <paligemma/image.h>
#include <paligemma/inputs.h>
#include <paligemma/machine.h>
#include <paligemma/forecast.h>
#include <paligemma/model.h>
#include <paligemma/processor.h>
#include <paligemma/quantize.h>
#include <paligemma/save.h>
#include <paligemma/score.h>
#include <paligemma/segmentation.h>
#include <paligemma/structured.h>

#endif
