/* SPDX-License-Identifier: BSD-2-Clause */
/* lib/config: the published files, defaults, getters, and every value that is refused. */
#include <stdint.h>
#include <sys/stat.h>

#include <paligemma/config.h>

#include "config/model_config.h"
#include "test.h"

static char directory[512];

static const char *const file_names[] = { "config.json", "generation_config.json", "preprocessor_config.json",
                                          "processor_config.json", "tokenizer_config.json" };

static void put(const char *name, const char *text)
{
    FILE *file = fopen(test_path(directory, name), "wb");
    CHECK(file != NULL);
    if (!file)
        return;
    CHECK(fwrite(text, 1, strlen(text), file) == strlen(text));
    fclose(file);
}

static void clear(void)
{
    snprintf(directory, sizeof directory, "%s/config", test_scratch());
    mkdir(directory, 0777);
    for (size_t i = 0; i < sizeof file_names / sizeof file_names[0]; i++)
        remove(test_path(directory, file_names[i]));
}

/* google/paligemma-3b-pt-448 as published: no head_dim, rope_theta, eps, image size of the text part's tokens only. */
static const char pg1_448[] =
    "{\"_name_or_path\": \"final-hf/paligemma-3b-pt-448-main/\","
    " \"architectures\": [\"PaliGemmaForConditionalGeneration\"], \"bos_token_id\": 2, \"eos_token_id\": 1,"
    " \"hidden_size\": 2048, \"ignore_index\": -100, \"image_token_index\": 257152, \"model_type\": \"paligemma\","
    " \"pad_token_id\": 0, \"projection_dim\": 2048,"
    " \"text_config\": {\"hidden_size\": 2048, \"intermediate_size\": 16384, \"model_type\": \"gemma\","
    "  \"num_attention_heads\": 8, \"num_hidden_layers\": 18, \"num_image_tokens\": 1024, \"num_key_value_heads\": 1,"
    "  \"torch_dtype\": \"float32\", \"vocab_size\": 257216},"
    " \"torch_dtype\": \"float32\", \"transformers_version\": \"4.41.0.dev0\","
    " \"vision_config\": {\"hidden_size\": 1152, \"image_size\": 448, \"intermediate_size\": 4304,"
    "  \"model_type\": \"siglip_vision_model\", \"num_attention_heads\": 16, \"num_hidden_layers\": 27,"
    "  \"num_image_tokens\": 1024, \"patch_size\": 14, \"projection_dim\": 2048,"
    "  \"projector_hidden_act\": \"gelu_fast\", \"vision_use_head\": false}, \"vocab_size\": 257216}";

/* PaliGemma 2 as published: a wrong hidden_size at the top, layers and projection at the top, eos of gemma-2-it. */
#define PG2(hidden, layers, mlp, heads, kv_heads, scale, more)                                                         \
    "{\"_vocab_size\": 257152, \"architectures\": [\"PaliGemmaForConditionalGeneration\"], \"bos_token_id\": 2,"       \
    " \"eos_token_id\": 1, \"hidden_size\": 2048, \"image_token_index\": 257152, \"model_type\": \"paligemma\","       \
    " \"num_hidden_layers\": " #layers ", \"pad_token_id\": 0, \"projection_dim\": " #hidden ","                       \
    " \"text_config\": {\"architectures\": [\"Gemma2ForCausalLM\"], \"attn_logit_softcapping\": 50.0,"                 \
    "  \"cache_implementation\": \"hybrid\", \"eos_token_id\": [1, 107], \"final_logit_softcapping\": 30.0,"           \
    "  \"hidden_act\": \"gelu_pytorch_tanh\", \"hidden_activation\": \"gelu_pytorch_tanh\", \"hidden_size\": " #hidden \
    ", \"intermediate_size\": " #mlp ", \"model_type\": \"gemma2\", \"num_attention_heads\": " #heads ","              \
    "  \"num_hidden_layers\": " #layers ", \"num_image_tokens\": 256, \"num_key_value_heads\": " #kv_heads ","         \
    "  \"query_pre_attn_scalar\": " #scale ", \"sliding_window\": 4096, \"torch_dtype\": \"bfloat16\"," more           \
    "  \"vocab_size\": 257216}, \"torch_dtype\": \"bfloat16\", \"transformers_version\": \"4.46.0.dev0\","             \
    " \"vision_config\": {\"hidden_size\": 1152, \"intermediate_size\": 4304,"                                         \
    "  \"model_type\": \"siglip_vision_model\","                                                                       \
    "  \"num_attention_heads\": 16, \"num_hidden_layers\": 27, \"num_image_tokens\": 256, \"patch_size\": 14,"         \
    "  \"projection_dim\": " #hidden ", \"torch_dtype\": \"bfloat16\", \"vision_use_head\": false}}"

static const char pg2_3b[] = PG2(2304, 26, 9216, 8, 4, 256, "");
static const char pg2_10b[] = PG2(3584, 42, 14336, 16, 8, 256, "");
static const char pg2_28b[] = PG2(4608, 46, 36864, 32, 16, 144, "\"head_dim\": 128,");

static pali_config *load(const char *text)
{
    pali_config *config = NULL;
    pali_error *error = NULL;
    put("config.json", text);
    CHECK_OK(pali_config_load(&config, directory, &error), error);
    if (!config)
        exit(test_report("config"));
    return config;
}

static int64_t get_int(const pali_config *config, const char *name)
{
    int64_t value = -999;
    pali_error *error = NULL;
    CHECK_OK(pali_config_get_int(config, name, &value, &error), error);
    return value;
}

static double get_float(const pali_config *config, const char *name)
{
    double value = -999;
    pali_error *error = NULL;
    CHECK_OK(pali_config_get_float(config, name, &value, &error), error);
    return value;
}

static const char *get_string(const pali_config *config, const char *name)
{
    const char *value = "";
    pali_error *error = NULL;
    CHECK_OK(pali_config_get_string(config, name, &value, &error), error);
    return value;
}

/* ---- published files ---- */

static void test_paligemma1(void)
{
    clear();
    pali_config *config = load(pg1_448);
    const struct pali__settings *s = pali__config_settings(config);
    CHECK(s->text.family == PALI__GEMMA && s->text.hidden_size == 2048 && s->text.intermediate_size == 16384);
    CHECK(s->text.num_hidden_layers == 18 && s->text.num_attention_heads == 8 && s->text.num_key_value_heads == 1);
    CHECK(s->text.head_dim == 256 && s->text.vocab_size == 257216 && s->text.max_position_embeddings == 8192);
    CHECK(s->text.rms_norm_eps == 1e-6 && s->text.rope.theta == 10000.0 && s->text.query_pre_attn_scalar == 256.0);
    CHECK(s->text.attn_logit_softcapping == 0 && s->text.final_logit_softcapping == 0 && s->text.sliding_window == 0);
    CHECK(!s->text.layer_slides[0] && !s->text.layer_slides[17]);
    CHECK(s->vision.hidden_size == 1152 && s->vision.intermediate_size == 4304 && s->vision.num_hidden_layers == 27);
    CHECK(s->vision.image_size == 448 && s->vision.num_patches == 1024 && s->vision.num_channels == 3);
    CHECK(s->vision.layer_norm_eps == 1e-6);
    CHECK(s->generation.n_eos == 1 && s->generation.eos_token_id[0] == 1 && s->generation.bos_token_id == 2);
    CHECK(s->generation.pad_token_id == 0 && s->generation.max_new_tokens == 20 && s->generation.top_k == 50);
    CHECK(s->generation.num_beams == 1 && s->generation.temperature == 1 && s->generation.top_p == 1);
    CHECK(!s->generation.do_sample);
    CHECK(s->preprocessor.height == 448 && s->preprocessor.width == 448 && s->preprocessor.image_seq_length == 1024);
    CHECK(s->preprocessor.do_resize && s->preprocessor.do_rescale && s->preprocessor.do_normalize);
    CHECK(s->preprocessor.resample == 3 && s->preprocessor.rescale_factor == 1.0 / 255.0);
    CHECK(s->preprocessor.image_mean[2] == 0.5 && s->preprocessor.image_std[0] == 0.5);
    CHECK(s->image_token_id == 257152 && s->projection_dim == 2048 && s->ignore_index == -100);
    CHECK(s->tie_word_embeddings);
    pali_config_free(config);
    pali_config_free(NULL);
}

static void test_paligemma2(void)
{
    static const struct {
        const char *text;
        int64_t hidden, layers, mlp, heads, kv_heads, head_dim;
        double scale;
    } cases[] = {
        { pg2_3b, 2304, 26, 9216, 8, 4, 256, 256 },
        { pg2_10b, 3584, 42, 14336, 16, 8, 256, 256 },
        { pg2_28b, 4608, 46, 36864, 32, 16, 128, 144 },
    };
    for (int i = 0; i < 3; i++) {
        pali_config *config = load(cases[i].text);
        const struct pali__settings *s = pali__config_settings(config);
        CHECK(s->text.family == PALI__GEMMA2 && s->text.hidden_size == cases[i].hidden);
        CHECK(s->text.num_hidden_layers == cases[i].layers && s->text.intermediate_size == cases[i].mlp);
        CHECK(s->text.num_attention_heads == cases[i].heads && s->text.num_key_value_heads == cases[i].kv_heads);
        CHECK(s->text.head_dim == cases[i].head_dim && s->text.query_pre_attn_scalar == cases[i].scale);
        CHECK(s->text.attn_logit_softcapping == 50 && s->text.final_logit_softcapping == 30);
        CHECK(s->text.sliding_window == 4096 && s->text.layer_slides[0] && !s->text.layer_slides[1]);
        CHECK(s->projection_dim == cases[i].hidden && s->vision.image_size == 224 && s->vision.num_patches == 256);
        CHECK(s->generation.n_eos == 1 && s->generation.eos_token_id[0] == 1); /* not 107 */
        CHECK(get_int(config, "hidden_size") == 2048 && get_int(config, "text_config.eos_token_id.1") == 107);
        pali_config_free(config);
    }
}

/* ---- getters ---- */

static void test_getters(void)
{
    pali_config *config = load(pg2_3b);
    CHECK(get_int(config, "image_token_index") == 257152 && get_int(config, "image_token_id") == 257152);
    CHECK(get_int(config, "vocab_size") == 257152 && get_int(config, "tie_word_embeddings") == 1);
    CHECK(get_int(config, "text_config.hidden_size") == 2304 && get_int(config, "vision_config.patch_size") == 14);
    CHECK(get_int(config, "text_config.num_image_tokens") == 256);
    CHECK(get_int(config, "preprocessor_config.size.width") == 224);
    CHECK(get_int(config, "generation_config.max_new_tokens") == 20);
    CHECK(get_float(config, "text_config.rope_theta") == 10000);
    CHECK(get_float(config, "text_config.rms_norm_eps") == 1e-6);
    CHECK(get_float(config, "preprocessor_config.image_mean.1") == 0.5);
    CHECK(strcmp(get_string(config, "model_type"), "paligemma") == 0);
    CHECK(strcmp(get_string(config, "torch_dtype"), "bfloat16") == 0);
    CHECK(strcmp(get_string(config, "text_config.layer_types.1"), "full_attention") == 0);
    CHECK(strcmp(get_string(config, "vision_config.hidden_act"), "gelu_pytorch_tanh") == 0);

    /* Every name is found again, once, and belongs to one of the kinds. */
    size_t count = pali_config_count(config);
    CHECK(count > 70 && pali_config_name(config, count) == NULL && pali_config_count(NULL) == 0);
    for (size_t i = 0; i < count; i++) {
        const char *name = pali_config_name(config, i), *text = NULL;
        int64_t integer = 0;
        double number = 0;
        int kinds = (pali_config_get_int(config, name, &integer, NULL) == PALI_OK) +
                    (pali_config_get_float(config, name, &number, NULL) == PALI_OK) +
                    (pali_config_get_string(config, name, &text, NULL) == PALI_OK);
        CHECK_MSG(kinds <= 1, "%s", name);
        for (size_t j = 0; j < i; j++)
            CHECK_MSG(strcmp(name, pali_config_name(config, j)) != 0, "%s twice", name);
    }

    pali_error *error = NULL;
    int64_t integer = 5;
    double number = 5;
    const char *text = NULL;
    CHECK_FAILS(pali_config_get_int(config, "no_such", &integer, &error), error, PALI_ERROR_ARGUMENT, "no_such");
    CHECK_FAILS(pali_config_get_float(config, "vocab_size", &number, &error), error, PALI_ERROR_ARGUMENT, "an integer");
    CHECK_FAILS(pali_config_get_int(config, "model_type", &integer, &error), error, PALI_ERROR_ARGUMENT, "a string");
    CHECK_FAILS(pali_config_get_string(config, "vocab_size", &text, &error), error, PALI_ERROR_ARGUMENT, "vocab_size");
    CHECK_FAILS(pali_config_get_string(config, NULL, &text, &error), error, PALI_ERROR_ARGUMENT, "NULL");
    CHECK_FAILS(pali_config_get_int(NULL, "vocab_size", &integer, &error), error, PALI_ERROR_ARGUMENT, "NULL");
    CHECK(integer == 5 && number == 5 && text == NULL);
    pali_config_free(config);

    /* null means none where Transformers has None. */
    config = load("{\"model_type\":\"paligemma\",\"vision_config\":null,\"text_config\":{\"model_type\":\"gemma2\","
                  "\"attn_logit_softcapping\":null,\"final_logit_softcapping\":0.0,\"sliding_window\":null,"
                  "\"head_dim\":null}}");
    const struct pali__settings *s = pali__config_settings(config);
    CHECK(s->text.attn_logit_softcapping == 0 && s->text.final_logit_softcapping == 0 && s->text.sliding_window == 0);
    CHECK(!s->text.layer_slides[0] && s->text.head_dim == 256 && s->projection_dim == 2304);
    CHECK_FAILS(pali_config_get_float(config, "text_config.attn_logit_softcapping", &number, &error), error,
                PALI_ERROR_ARGUMENT, "not set");
    pali_config_free(config);
}

/* ---- forms ---- */

static void test_forms(void)
{
    /* No parts at all: the released 3B model, as PaliGemmaConfig() is. */
    pali_config *config = load("{\"model_type\":\"paligemma\"}");
    const struct pali__settings *s = pali__config_settings(config);
    CHECK(s->text.hidden_size == 2048 && s->text.num_key_value_heads == 1 && s->text.vocab_size == 257152);
    CHECK(s->vision.hidden_size == 1152 && s->vision.patch_size == 14 && s->image_token_id == 256000);
    pali_config_free(config);

    /* Empty parts: the defaults of GemmaConfig and SiglipVisionConfig themselves. */
    config = load("{\"model_type\":\"paligemma\",\"projection_dim\":3072,\"text_config\":{},\"vision_config\":{}}");
    s = pali__config_settings(config);
    CHECK(s->text.hidden_size == 3072 && s->text.num_hidden_layers == 28 && s->vision.hidden_size == 768);
    CHECK(s->vision.patch_size == 16 && s->vision.num_patches == 196);
    pali_config_free(config);

    /* As 5.x writes it; both words for the image token and the dtype. */
    config = load("{\"model_type\":\"paligemma\",\"dtype\":\"bfloat16\",\"image_token_id\":1803,"
                  "\"tie_word_embeddings\":false,\"text_config\":{\"model_type\":\"gemma2\",\"num_hidden_layers\":3,"
                  "\"layer_types\":[\"full_attention\",\"sliding_attention\",\"sliding_attention\"],"
                  "\"rope_parameters\":{\"rope_theta\":500,\"rope_type\":\"default\"},\"rope_theta\":7.0,"
                  "\"tie_word_embeddings\":true,\"use_bidirectional_attention\":true,\"sliding_window\":8}}");
    s = pali__config_settings(config);
    CHECK(s->image_token_id == 1803 && !s->tie_word_embeddings && s->text.rope.theta == 500);
    CHECK(!s->text.layer_slides[0] && s->text.layer_slides[1] && s->text.layer_slides[2]);
    CHECK(strcmp(get_string(config, "dtype"), "bfloat16") == 0);
    pali_config_free(config);

    /* Gemma's older words. */
    config = load("{\"model_type\":\"paligemma\",\"projection_dim\":3072,\"text_config\":{\"model_type\":\"gemma\","
                  "\"hidden_act\":\"gelu\",\"rope_theta\":123.5,\"rope_scaling\":null,\"sliding_window\":4,"
                  "\"tie_word_embeddings\":false}}");
    s = pali__config_settings(config);
    CHECK(s->text.rope.theta == 123.5 && s->text.sliding_window == 0 && !s->tie_word_embeddings);
    pali_config_free(config);
}

/* The text parts that need not be Gemma: defaults of LlamaConfig and MistralConfig (Transformers 5.23.0). */
static void test_other_decoders(void)
{
    pali_config *config = load("{\"model_type\":\"paligemma\",\"projection_dim\":4096,"
                               "\"text_config\":{\"model_type\":\"llama\",\"tie_word_embeddings\":false}}");
    const struct pali__settings *s = pali__config_settings(config);
    CHECK(s->text.family == PALI__LLAMA && s->text.num_key_value_heads == 32 && s->text.head_dim == 128);
    CHECK(s->text.intermediate_size == 11008 && s->text.rms_norm_eps == 1e-6 && s->text.activation == PALI__SILU);
    CHECK(s->text.norm_offset == 0.0f && !s->text.scales_embedding && !s->text.norms_outputs);
    CHECK(s->text.query_pre_attn_scalar == 128.0 && s->text.sliding_window == 0 && !s->text.layer_slides[0]);
    CHECK(s->tie_word_embeddings && s->generation.eos_token_id[0] == 2 && s->generation.bos_token_id == 1);
    pali_config_free(config);

    config = load("{\"model_type\":\"paligemma\",\"projection_dim\":64,\"eos_token_id\":7,"
                  "\"tie_word_embeddings\":false,\"text_config\":{\"model_type\":\"mistral\",\"hidden_size\":64,"
                  "\"num_attention_heads\":4,\"num_key_value_heads\":null,\"num_hidden_layers\":3,"
                  "\"sliding_window\":9,\"eos_token_id\":3,\"rope_scaling\":{\"rope_type\":\"llama3\",\"factor\":8,"
                  "\"low_freq_factor\":1,\"high_freq_factor\":4,\"original_max_position_embeddings\":8192}}}");
    s = pali__config_settings(config);
    CHECK(s->text.family == PALI__MISTRAL && s->text.num_key_value_heads == 4 && s->text.head_dim == 16);
    CHECK(s->text.layer_slides[0] && s->text.layer_slides[1] && s->text.layer_slides[2]);
    CHECK(s->text.rope.type == PALI__ROPE_LLAMA3 && s->text.rope.factor == 8 && s->text.rope.original_length == 8192);
    CHECK(!s->tie_word_embeddings && s->generation.eos_token_id[0] == 7);
    pali_config_free(config);

    config = load("{\"model_type\":\"paligemma\",\"projection_dim\":4096,\"text_config\":{\"model_type\":\"mistral\","
                  "\"sliding_window\":null,\"hidden_act\":\"gelu_pytorch_tanh\"}}");
    s = pali__config_settings(config);
    CHECK(s->text.num_key_value_heads == 8 && s->text.sliding_window == 0 && !s->text.layer_slides[0]);
    CHECK(s->text.activation == PALI__GELU_TANH);
    pali_config_free(config);
}

static void test_other_files(void)
{
    clear();
    put("generation_config.json", "{\"_from_model_config\":true,\"bos_token_id\":3,\"eos_token_id\":[1,107,9],"
                                  "\"pad_token_id\":4,\"max_new_tokens\":64,\"do_sample\":true,\"temperature\":0.7,"
                                  "\"top_k\":5,\"top_p\":0.9,\"num_beams\":2,\"suppress_tokens\":[],"
                                  "\"begin_suppress_tokens\":[7,8],\"forced_eos_token_id\":1,"
                                  "\"bad_words_ids\":[[6],[7,8]],\"early_stopping\":\"never\",\"min_p\":0.25,"
                                  "\"penalty_alpha\":0.6,\"max_length\":99,\"num_beam_groups\":1}");
    put("preprocessor_config.json", "{\"do_convert_rgb\":null,\"size\":{\"height\":448,\"width\":448},\"resample\":3,"
                                    "\"image_mean\":[0.1,0.2,0.3],\"image_std\":[1,2,3],\"rescale_factor\":0.5,"
                                    "\"do_normalize\":false,\"image_seq_length\":1024}");
    put("tokenizer_config.json", "{\"add_bos_token\":true,\"bos_token\":{\"content\":\"<bos>\"},"
                                 "\"eos_token\":\"<eos>\","
                                 "\"model_max_length\":1000000000000000019884624838656,"
                                 "\"tokenizer_class\":\"GemmaTokenizer\"}");
    pali_config *config = load(pg1_448);
    const struct pali__settings *s = pali__config_settings(config);
    CHECK(s->generation.n_eos == 3 && s->generation.eos_token_id[1] == 107 && s->generation.bos_token_id == 3);
    CHECK(s->generation.pad_token_id == 4 && s->generation.max_new_tokens == 64 && s->generation.do_sample);
    CHECK(s->generation.temperature == 0.7 && s->generation.top_k == 5 && s->generation.top_p == 0.9);
    CHECK(s->generation.num_beams == 2 && get_int(config, "generation_config.eos_token_id.2") == 9);
    CHECK(s->generation.n_suppress == 0 && s->generation.n_begin_suppress == 2 && s->generation.n_forced_eos == 1);
    CHECK(s->generation.bad_words.n_lists == 2 && s->generation.bad_words.n_ids == 3);
    CHECK(s->generation.bad_words.starts[1] == 1 && s->generation.bad_words.ids[2] == 8);
    CHECK(s->generation.early_stopping == PALI__STOP_NEVER && s->generation.min_p == 0.25);
    CHECK(strcmp(s->generation.unserved, "penalty_alpha") == 0 && s->generation.has_max_length);
    CHECK(get_int(config, "eos_token_id") == 1);
    CHECK(s->preprocessor.image_mean[1] == 0.2 && s->preprocessor.image_std[2] == 3 && !s->preprocessor.do_normalize);
    CHECK(s->preprocessor.rescale_factor == 0.5 && get_int(config, "preprocessor_config.size.height") == 448);
    CHECK(strcmp(get_string(config, "tokenizer_config.bos_token"), "<bos>") == 0);
    CHECK(strcmp(get_string(config, "tokenizer_config.tokenizer_class"), "GemmaTokenizer") == 0);
    CHECK(get_int(config, "tokenizer_config.add_bos_token") == 1);
    pali_config_free(config);

    /* What 5.x saves instead comes first; one number may stand for both sides. */
    put("processor_config.json", "{\"image_processor\":{\"size\":448,\"image_mean\":[0.25,0.25,0.25]},"
                                 "\"processor_class\":\"PaliGemmaProcessor\"}");
    config = load(pg1_448);
    s = pali__config_settings(config);
    CHECK(s->preprocessor.image_mean[0] == 0.25 && s->preprocessor.width == 448 && s->preprocessor.do_normalize);
    pali_config_free(config);

    /* An older processor_config.json has nothing to say. */
    put("processor_config.json", "{\"image_seq_length\":1024,\"processor_class\":\"PaliGemmaProcessor\"}");
    config = load(pg1_448);
    CHECK(pali__config_settings(config)->preprocessor.image_mean[1] == 0.2);
    pali_config_free(config);
    clear();
}

/* ---- refusals ---- */

struct refusal {
    const char *file, *text;
    pali_status status;
    const char *fragment;
};

static void check_refusals(const struct refusal *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        pali_config *config = NULL;
        pali_error *error = NULL;
        clear();
        put("config.json", pg1_448);
        put(cases[i].file, cases[i].text);
        pali_status status = pali_config_load(&config, directory, &error);
        const char *message = pali_error_message(error);
        CHECK_MSG(status == cases[i].status, "%s: %s", cases[i].text, message);
        CHECK_MSG(strstr(message, cases[i].fragment) != NULL, "%s: %s", cases[i].text, message);
        CHECK_MSG(strstr(message, cases[i].file) != NULL, "%s: %s", cases[i].text, message);
        CHECK(config == NULL);
        pali_config_free(config);
        pali_error_free(error);
    }
    clear();
}

#define TOP(members) "config.json", "{\"model_type\":\"paligemma\"," members "}"
#define TEXT(members) TOP("\"text_config\":{\"model_type\":\"gemma2\"," members "}")
#define GEMMA(members) TOP("\"text_config\":{\"model_type\":\"gemma\"," members "}")
#define OTHER_TEXT(type, members) TOP("\"text_config\":{\"model_type\":\"" type "\"," members "}")
#define VISION(members) TOP("\"vision_config\":{" members "}")
#define GENERATION(members) "generation_config.json", "{" members "}"
#define PREPROCESSOR(members) "preprocessor_config.json", "{" members "}"
#define BAD PALI_ERROR_FORMAT
#define OTHER PALI_ERROR_UNSUPPORTED

static void test_refused_top(void)
{
    static const struct refusal cases[] = {
        { "config.json", "", BAD, "too early" },
        { "config.json", "[]", BAD, "an array" },
        { "config.json", "{\"model_type\":", BAD, "too early" },
        { "config.json", "{}", BAD, "model_type is missing" },
        { "config.json", "{\"model_type\":\"llama\"}", OTHER, "model_type is \"llama\"" },
        { "config.json", "{\"model_type\":7}", BAD, "model_type is an integer" },
        { TOP("\"text_config\":[]"), BAD, "text_config is an array" },
        { TOP("\"vision_config\":3"), BAD, "vision_config is an integer" },
        { TOP("\"image_token_index\":-1"), BAD, "image_token_index is -1" },
        { TOP("\"image_token_id\":\"x\""), BAD, "image_token_id is a string" },
        { TOP("\"image_token_index\":1e3"), BAD, "fraction" },
        { TOP("\"vocab_size\":0"), BAD, "vocab_size is 0" },
        { TOP("\"projection_dim\":2047"), BAD, "projection_dim is 2047, text_config.hidden_size (2048)" },
        { TOP("\"projection_dim\":true"), BAD, "projection_dim is a boolean" },
        { TOP("\"tie_word_embeddings\":1"), BAD, "tie_word_embeddings is an integer" },
        { TOP("\"eos_token_id\":[]"), BAD, "eos_token_id has 0 ids" },
        { TOP("\"eos_token_id\":[1,2,3,4,5,6,7,8,9]"), BAD, "9 ids" },
        { TOP("\"eos_token_id\":[1,-2]"), BAD, "eos_token_id is -2" },
        { TOP("\"pad_token_id\":-1"), BAD, "pad_token_id is -1" },
        { TOP("\"dtype\":2"), BAD, "dtype is an integer" },
    };
    check_refusals(cases, sizeof cases / sizeof cases[0]);
}

static void test_refused_text(void)
{
    static const struct refusal cases[] = {
        { TOP("\"text_config\":{\"model_type\":\"gemma3_text\"}"), OTHER, "gemma3_text" },
        { TEXT("\"hidden_size\":0"), BAD, "text_config.hidden_size is 0, 1 to 65536" },
        { TEXT("\"hidden_size\":-5"), BAD, "text_config.hidden_size is -5" },
        { TEXT("\"hidden_size\":65537"), BAD, "text_config.hidden_size" },
        { TEXT("\"hidden_size\":\"2304\""), BAD, "text_config.hidden_size is a string" },
        { TEXT("\"hidden_size\":99999999999999999999"), BAD, "does not fit" },
        { TEXT("\"intermediate_size\":0"), BAD, "text_config.intermediate_size" },
        { TEXT("\"num_hidden_layers\":513"), BAD, "text_config.num_hidden_layers is 513" },
        { TEXT("\"num_attention_heads\":0"), BAD, "text_config.num_attention_heads" },
        { TEXT("\"num_key_value_heads\":0"), BAD, "text_config.num_key_value_heads" },
        { TEXT("\"num_attention_heads\":8,\"num_key_value_heads\":3"), BAD, "multiple of text_config.num_key_value" },
        { TEXT("\"num_key_value_heads\":16"), BAD, "text_config.num_attention_heads is 8" },
        { TEXT("\"head_dim\":255"), BAD, "text_config.head_dim is 255, an even" },
        { TEXT("\"head_dim\":0"), BAD, "text_config.head_dim" },
        { TEXT("\"vocab_size\":4194305"), BAD, "text_config.vocab_size" },
        { TEXT("\"max_position_embeddings\":0"), BAD, "text_config.max_position_embeddings" },
        { TEXT("\"rms_norm_eps\":0"), BAD, "text_config.rms_norm_eps is 0" },
        { TEXT("\"rms_norm_eps\":NaN"), BAD, "text_config.rms_norm_eps is not a finite" },
        { TEXT("\"rms_norm_eps\":\"1e-6\""), BAD, "text_config.rms_norm_eps is a string" },
        { TEXT("\"rope_theta\":-1"), BAD, "text_config.rope_theta is -1" },
        { TEXT("\"rope_theta\":1e999"), BAD, "text_config.rope_theta" },
        { TEXT("\"rope_scaling\":{\"type\":\"dynamic\",\"factor\":2.0}"), OTHER, "type \"dynamic\"" },
        { TEXT("\"rope_scaling\":{\"type\":\"linear\"}"), BAD, "text_config.rope_scaling.factor is missing" },
        { TEXT("\"rope_parameters\":{\"rope_type\":\"llama3\",\"factor\":8,\"low_freq_factor\":4,"
               "\"high_freq_factor\":4}"), BAD, "high_freq_factor is 4, more than" },
        { TEXT("\"rope_parameters\":{\"rope_type\":\"llama3\",\"factor\":0,\"low_freq_factor\":1,"
               "\"high_freq_factor\":4}"), BAD, "rope_parameters.factor is 0" },
        { OTHER_TEXT("llama", "\"attention_bias\":true"), OTHER, "text_config.attention_bias is true" },
        { OTHER_TEXT("llama", "\"mlp_bias\":true"), OTHER, "text_config.mlp_bias is true" },
        { OTHER_TEXT("llama", "\"hidden_act\":\"relu\""), OTHER, "text_config.hidden_act is \"relu\"" },
        { OTHER_TEXT("llama", "\"num_attention_heads\":5"), BAD, "text_config.head_dim is 819" },
        { OTHER_TEXT("mistral", "\"sliding_window\":-1"), BAD, "text_config.sliding_window is -1" },
        { OTHER_TEXT("mixtral", "\"head_dim\":8"), OTHER, "\"llama\" or \"mistral\" was expected" },
        { TEXT("\"rope_scaling\":5"), BAD, "rope_scaling is an integer" },
        { TEXT("\"rope_parameters\":{\"rope_type\":\"yarn\"}"), OTHER, "rope_parameters" },
        { TEXT("\"rope_parameters\":{\"partial_rotary_factor\":0.5}"), OTHER, "rope_parameters" },
        { TEXT("\"rope_parameters\":{\"rope_theta\":\"big\"}"), BAD, "text_config.rope_theta is a string" },
        { TEXT("\"hidden_activation\":\"gelu\""), OTHER, "text_config.hidden_activation is \"gelu\"" },
        { TEXT("\"hidden_activation\":\"silu\""), OTHER, "silu" },
        { GEMMA("\"hidden_act\":\"relu\""), OTHER, "text_config.hidden_act is \"relu\"" },
        { TEXT("\"attention_bias\":true"), OTHER, "text_config.attention_bias" },
        { TEXT("\"query_pre_attn_scalar\":0"), BAD, "text_config.query_pre_attn_scalar" },
        { TEXT("\"attn_logit_softcapping\":-1"), BAD, "text_config.attn_logit_softcapping" },
        { TEXT("\"final_logit_softcapping\":\"x\""), BAD, "text_config.final_logit_softcapping" },
        { TEXT("\"sliding_window\":-1"), BAD, "text_config.sliding_window" },
        { TEXT("\"layer_types\":[\"full_attention\"]"), BAD, "layer_types has 1 entries" },
        { TEXT("\"layer_types\":3"), BAD, "layer_types has 0 entries" },
        { TEXT("\"num_hidden_layers\":1,\"layer_types\":[\"chunked\"]"), OTHER, "layer_types[0] is chunked" },
        { TEXT("\"num_hidden_layers\":1,\"layer_types\":[null]"), OTHER, "layer_types[0]" },
    };
    check_refusals(cases, sizeof cases / sizeof cases[0]);
}

static void test_refused_vision(void)
{
    static const struct refusal cases[] = {
        { VISION("\"model_type\":\"clip_vision_model\""), OTHER, "clip_vision_model" },
        { VISION("\"vision_use_head\":true"), OTHER, "vision_config.vision_use_head" },
        { VISION("\"hidden_act\":\"gelu\""), OTHER, "vision_config.hidden_act" },
        { VISION("\"hidden_size\":0"), BAD, "vision_config.hidden_size" },
        { VISION("\"hidden_size\":1000"), BAD, "vision_config.hidden_size is 1000, a multiple of" },
        { VISION("\"num_attention_heads\":0"), BAD, "vision_config.num_attention_heads" },
        { VISION("\"num_hidden_layers\":100000"), BAD, "vision_config.num_hidden_layers" },
        { VISION("\"intermediate_size\":-1"), BAD, "vision_config.intermediate_size" },
        { VISION("\"image_size\":225"), BAD, "vision_config.image_size is 225, a multiple of" },
        { VISION("\"image_size\":8208"), BAD, "vision_config.image_size is 8208" },
        { VISION("\"image_size\":[224,224]"), BAD, "vision_config.image_size is an array" },
        { VISION("\"image_size\":1024,\"patch_size\":1"), BAD, "1048576 patches" },
        { VISION("\"patch_size\":0"), BAD, "vision_config.patch_size" },
        { VISION("\"num_channels\":1"), OTHER, "vision_config.num_channels is 1" },
        { VISION("\"layer_norm_eps\":-1"), BAD, "vision_config.layer_norm_eps" },
    };
    check_refusals(cases, sizeof cases / sizeof cases[0]);
}

static void test_refused_others(void)
{
    static const struct refusal cases[] = {
        { "generation_config.json", "[", BAD, "too early" },
        { GENERATION("\"max_new_tokens\":0"), BAD, "generation_config.max_new_tokens is 0" },
        { GENERATION("\"max_new_tokens\":1.5"), BAD, "generation_config.max_new_tokens" },
        { GENERATION("\"eos_token_id\":\"1\""), BAD, "generation_config.eos_token_id is a string" },
        { GENERATION("\"eos_token_id\":[1,null]"), BAD, "generation_config.eos_token_id is null" },
        { GENERATION("\"top_p\":1.5"), BAD, "generation_config.top_p" },
        { GENERATION("\"top_k\":-1"), BAD, "generation_config.top_k" },
        { GENERATION("\"temperature\":-0.5"), BAD, "generation_config.temperature" },
        { GENERATION("\"num_beams\":0"), BAD, "generation_config.num_beams" },
        { GENERATION("\"do_sample\":\"yes\""), BAD, "generation_config.do_sample" },
        { GENERATION("\"min_p\":1.5"), BAD, "generation_config.min_p" },
        { GENERATION("\"num_return_sequences\":0"), BAD, "generation_config.num_return_sequences" },
        { GENERATION("\"length_penalty\":\"1\""), BAD, "generation_config.length_penalty is a string" },
        { GENERATION("\"early_stopping\":3"), BAD, "generation_config.early_stopping" },
        { GENERATION("\"suppress_tokens\":[1,\"a\"]"), BAD, "generation_config.suppress_tokens" },
        { GENERATION("\"bad_words_ids\":7"), BAD, "generation_config.bad_words_ids" },
        { GENERATION("\"max_length\":-1"), BAD, "generation_config.max_length" },
        { PREPROCESSOR("\"size\":{\"height\":224,\"width\":224}"), BAD,
          "size is 224x224, vision_config.image_size (448)" },
        { PREPROCESSOR("\"size\":{\"shortest_edge\":448}"), OTHER, "size is an object without them" },
        { PREPROCESSOR("\"size\":\"big\""), OTHER, "size is a string" },
        { PREPROCESSOR("\"size\":{\"height\":0,\"width\":448}"), BAD, "preprocessor_config.size.height is 0" },
        { PREPROCESSOR("\"image_seq_length\":256"), BAD, "image_seq_length is 256, the 1024 patches of vision_config" },
        { PREPROCESSOR("\"resample\":2"), OTHER, "resample is 2" },
        { PREPROCESSOR("\"resample\":\"bicubic\""), BAD, "resample is a string" },
        { PREPROCESSOR("\"rescale_factor\":0"), BAD, "rescale_factor" },
        { PREPROCESSOR("\"image_mean\":[0.5,0.5]"), BAD, "image_mean is not a list of three" },
        { PREPROCESSOR("\"image_std\":[0.5,0,0.5]"), BAD, "image_std[1]" },
        { PREPROCESSOR("\"image_mean\":[0.5,\"x\",0.5]"), BAD, "image_mean[1]" },
        { PREPROCESSOR("\"do_resize\":1"), BAD, "do_resize is an integer" },
        { "tokenizer_config.json", "{\"bos_token\":1}", BAD, "tokenizer_config.bos_token" },
        { "tokenizer_config.json", "{\"add_bos_token\":\"x\"}", BAD, "tokenizer_config.add_bos_token" },
    };
    check_refusals(cases, sizeof cases / sizeof cases[0]);

    pali_config *config = NULL;
    pali_error *error = NULL;
    CHECK_FAILS(pali_config_load(&config, directory, &error), error, PALI_ERROR_IO, "config.json");
    CHECK_FAILS(pali_config_load(&config, NULL, &error), error, PALI_ERROR_ARGUMENT, "path");
    CHECK_FAILS(pali_config_load(NULL, directory, &error), error, PALI_ERROR_ARGUMENT, "out");
}

int main(void)
{
    test_paligemma1();
    test_paligemma2();
    test_getters();
    test_forms();
    test_other_decoders();
    test_other_files();
    test_refused_top();
    test_refused_text();
    test_refused_vision();
    test_refused_others();
    return test_report("config");
}
