#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# test_cli.sh COMMAND: the command's exit statuses and messages, and the same through its subcommands' files.
set -u
paligemma=$1
data=${PALI_TEST_DATA:?} examples=${PALI_TEST_EXAMPLES:?} scratch=${PALI_TEST_SCRATCH:?}
checks=0 failures=0
out=$scratch/out err=$scratch/err
[ -x "$paligemma" ] || { echo "$paligemma is not there" >&2; exit 1; }

fail() {
    failures=$((failures + 1))
    echo "failed: $*" >&2
    sed 's/^/    /' "$err" >&2
}

# expect STATUS command…: runs it, keeps its output; one line on stderr if it failed, none on success.
expect() {
    status=$1
    shift
    checks=$((checks + 1))
    "$@" >"$out" 2>"$err" </dev/null
    got=$?
    [ $got -eq "$status" ] || fail "exit status $got instead of $status: $*"
    lines=$(wc -l <"$err")
    if [ "$status" -eq 0 ]; then
        [ "$lines" -eq 0 ] || fail "stderr is not empty: $*"
    else
        [ "$lines" -eq 1 ] || fail "stderr has $lines lines: $*"
    fi
}

# says FRAGMENT: the last command said so on stderr;  prints FRAGMENT: on stdout.
says() { checks=$((checks + 1)); grep -qF -e "$1" "$err" || fail "stderr does not say: $1"; }
prints() { checks=$((checks + 1)); grep -qF -e "$1" "$out" || fail "stdout lacks: $1"; }

# feed TEXT STATUS command…: with TEXT on standard input.
feed() {
    text=$1 status=$2
    shift 2
    checks=$((checks + 1))
    printf '%s' "$text" | "$@" >"$out" 2>"$err"
    got=$?
    [ $got -eq "$status" ] || fail "exit status $got instead of $status: $*"
}

# ---- usage
expect 2 "$paligemma"
expect 2 "$paligemma" nonsense
says 'unknown subcommand "nonsense"'
expect 2 "$paligemma" --nonsense
expect 0 "$paligemma" --version
prints "paligemma 0."
commands="
generate
batch
score
process
forward
tokenize
detections
mask
attend
explain
diff
save
chat-template
embed
bench
info
"
expect 0 "$paligemma" --help
for command in $commands; do
    prints " $command "
done
for command in $commands; do
    expect 0 "$paligemma" $command --help
    prints "usage: paligemma $command"
    expect 2 "$paligemma" $command
    says "missing"
    expect 2 "$paligemma" $command --no-such-option
    says "unknown option --no-such-option"
done
expect 2 "$paligemma" generate -m
says "-m needs a value"
expect 2 "$paligemma" generate -m x -i y -p z --adapter a --adapter b
says "--adapter is given twice"
expect 2 "$paligemma" mask -m x -p y --scale 4
says "needs -o"
expect 2 "$paligemma" generate -m x -i y
says "-p PROMPT is missing"
expect 2 "$paligemma" generate -m x -i y -p z --dtype int8
says "float32 or bfloat16"
expect 2 "$paligemma" generate -m x -i y -p z --threads -1
says "whole number"
expect 2 "$paligemma" generate -m x -i y -p z --max-new-tokens=0
expect 2 "$paligemma" generate -m x -i y -p z --max-new-tokens 9999999999999999999999
expect 2 "$paligemma" generate -m x -i y -p z --temperature nan
expect 2 "$paligemma" generate -m x -i y -p z --top-p 1.5
expect 2 "$paligemma" generate -m x -i y -p z --seed -1
expect 2 "$paligemma" generate -m x -i y -p z --json=yes
says "--json takes no value"
expect 2 "$paligemma" generate -m x -i y -p z extra
says 'unexpected argument "extra"'
expect 2 "$paligemma" generate -m x -i y -p z --constrain boxes
says 'detect, segment or choices, not "boxes"'
expect 2 "$paligemma" generate -m x -i y -p z --constrain choices
says "go together"
expect 2 "$paligemma" generate -m x -i y -p z --choices a
says "go together"
expect 2 "$paligemma" generate -m x -i y -p z --labels a
says "--labels goes with"
expect 2 "$paligemma" generate -m x -i y -p z --constrain choices --choices a --allow-empty
says "--allow-empty goes with"
expect 2 "$paligemma" generate -m x -i y -p z --prompt-lookup-num-tokens 65
says "from 0 to 64"
expect 2 "$paligemma" generate -m x -i y -p z --constrain detect --num-beams 2
says "--num-beams"
expect 2 "$paligemma" generate -m x -i y -p z --prompt-lookup-num-tokens 2 --num-beams 2
says "--num-beams"
expect 2 "$paligemma" score -m x -i y -p z
says "--suffix TEXT is missing"
expect 2 "$paligemma" info a b
expect 2 "$paligemma" save a
says "OUT_DIR is missing"
expect 2 "$paligemma" save a b c
says 'unexpected argument "c"'
expect 2 "$paligemma" save a b --dtype int8
says "float32, bfloat16 or float16"
expect 2 "$paligemma" save a b --name-style C
says "transformers-4, transformers-5"
for size in 5XB GB -1 0 nan 1e30; do
    expect 2 "$paligemma" save a b --max-shard-size "$size"
    says "5GB"
done

expect 2 "$paligemma" detections -t x --size 3
says "--size takes WIDTHxHEIGHT"
expect 2 "$paligemma" detections -t x --size 3x4 --scale 1000
expect 2 "$paligemma" detections -t x --size 3x4 -i y
expect 2 "$paligemma" detections -t x --size 3x4 --draw z.png
says "--draw needs -i IMG"
expect 2 "$paligemma" detections --encode x.json -t y
says "--encode prints text"

# ---- what is not there
expect 1 "$paligemma" info "$scratch/no-such-folder"
says "no-such-folder"
expect 1 env HF_HUB_CACHE="$scratch/hub" "$paligemma" info google/paligemma2-3b-mix-224
says "hf download google/paligemma2-3b-mix-224"
expect 1 "$paligemma" generate -m "$scratch" -i "$scratch/no-such-picture.png" -p x
says "no-such-picture.png"
expect 1 "$paligemma" forward -m "$scratch" --inputs "$scratch/no-such.safetensors" -o "$scratch/x.safetensors"
says "no-such.safetensors"
expect 1 "$paligemma" tokenize -m "$scratch/no-such-folder"

# ---- detections: no model is needed
box='<loc0256><loc0512><loc0768><loc1023>'
seg=$(printf '<seg%03d>' 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 127)
expect 0 "$paligemma" detections -t "I see $box red car ; $box$seg" --size 80x40
prints '"category_name": "red car", "bbox": [40, 10, 39.921875, 20]'
prints '"text_begin": 6, "text_end": 50}'
[ "$(grep -o '"bbox"' "$out" | wc -l)" -eq 2 ] || fail "two objects in, not two out"
cp "$out" "$scratch/objects.json"
expect 0 "$paligemma" detections --encode "$scratch/objects.json"
[ "$(cat "$out")" = "$box red car ; $box" ] || fail "the text did not come back: $(cat "$out")"
feed "$(cat "$scratch/objects.json")" 0 "$paligemma" detections --encode -
[ "$(cat "$out")" = "$box red car ; $box" ] || fail "the text did not come back from standard input: $(cat "$out")"
feed "$box cat
" 0 "$paligemma" detections --size 1023x1023 --scale 1023
prints '"bbox": [512, 256, 511, 512]'
prints '"category_name": "cat"'
expect 0 "$paligemma" detections -t "$box cat" -i "$data/images/rgb.jpg" --draw "$scratch/objects.png" -o "$scratch/o.json"
[ ! -s "$out" ] || fail "-o left something on standard output"
grep -q '"file_name": ".*rgb.jpg"' "$scratch/o.json" || fail "the JSON does not name its picture"
[ "$(head -c 4 "$scratch/objects.png" | tail -c 3)" = PNG ] || fail "detections --draw wrote no PNG"
expect 1 "$paligemma" detections -t x -i "$data/images/rgb.jpg" --draw "$scratch/no-such-folder/x.png"
says "no-such-folder"
expect 1 "$paligemma" detections -t x --size 3x3 -o "$scratch"
says "is a directory"
expect 1 "$paligemma" detections -t "$box$seg" --size 3x3 --vae "$data/structured/compressed.npz"
says "np.savez"
expect 1 "$paligemma" detections -t "$box$seg" --size 3x3 --vae "$data/structured/small.npz"
says '"_vq_vae._embedding" is missing'
expect 1 "$paligemma" detections --encode "$scratch/no-such.json"
says "no-such.json"
feed '{"annotations": [{"bbox": [1, 2, 3]}]}' 1 "$paligemma" detections --encode - --size 9x9
says "annotations[0].bbox"

# ---- a model: the demonstration's, else the first fixture
model=
for candidate in "$examples"/tiny/model "$data"/models/*; do
    if [ -z "$model" ] && [ -f "$candidate/tokenizer.json" ] && ls "$candidate"/*.safetensors >/dev/null 2>&1; then
        model=$candidate
    fi
done
if [ -z "$model" ]; then
    echo "SKIPPED: no model to try the rest with; $checks checks, $failures failed"
    [ $failures -eq 0 ] || exit 1
    exit 77
fi
echo "with $model"
printf 'P6 4 2 255\n\001\002\003\004\005\006\007\010\011\012\013\014\015\016\017\020\021\022\023\024\025\026\027\030' \
    >"$scratch/picture.ppm"
picture=$scratch/picture.ppm

# through the Hugging Face cache's layout, by each variable that can name it
mkdir -p "$scratch/home/hub/models--some--model/refs" "$scratch/home/hub/models--some--model/snapshots"
printf 'abc123' >"$scratch/home/hub/models--some--model/refs/main"
ln -sfn "$(cd "$model" && pwd)" "$scratch/home/hub/models--some--model/snapshots/abc123"
expect 0 env -u HF_HUB_CACHE HF_HOME="$scratch/home" "$paligemma" info some/model
expect 0 env HF_HUB_CACHE="$scratch/home/hub" "$paligemma" info -m some/model --json
prints '"missing": []'
prints '"unexpected": []'
mkdir -p "$scratch/xdg"
ln -sfn "$scratch/home" "$scratch/xdg/huggingface"
expect 0 env -u HF_HUB_CACHE -u HF_HOME XDG_CACHE_HOME="$scratch/xdg" "$paligemma" info some/model --tensors
prints "text_config.hidden_size"
prints "missing 0"

# ---- bench
expect 0 "$paligemma" bench -m "$model" --new-tokens 3 --runs 1
prints "tokens/s"
expect 0 "$paligemma" bench -m "$model" --new-tokens 3 --runs 2 --rows 2 --image-size 112 --json
for key in image_s prefill_s decode_tokens_per_s read_bytes_per_s decoder_flops_per_s peak_rss_bytes; do
    prints "\"$key\": "
done
expect 1 "$paligemma" bench -m "$model" --image-size 224
says "pictures of 112 px"
expect 1 "$paligemma" bench -m "$model" --prompt-tokens 64
says "more than that"
expect 0 env HF_HUB_CACHE="$scratch/home/hub" "$paligemma" info some/model@abc123
expect 1 env HF_HUB_CACHE="$scratch/home/hub" "$paligemma" info some/model@v2
says "fetch it with: hf download some/model --revision v2"

# ---- messages, by a template of one's own and by the checkpoint's
mkdir -p "$scratch/chat"
for file in "$model"/*; do
    ln -sf "$(cd "$model" && pwd)/${file##*/}" "$scratch/chat/${file##*/}"
done
printf '%s' '{% for m in messages %}{% for block in m.content if block.type == "text" %}{{ block.text }}{% endfor %}{% endfor %}' \
    >"$scratch/chat/chat_template.jinja"
printf '%s' '[{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "caption en"}]}]' \
    >"$scratch/messages.json"
printf '%s' '{{ messages[0].role }}{{ bos_token }}{{ ": go" if add_generation_prompt }}' >"$scratch/own.jinja"
expect 0 "$paligemma" chat-template -m "$scratch/chat" --messages "$scratch/messages.json"
[ "$(cat "$out")" = "caption en" ] || fail "not the prompt that the template makes"
expect 0 "$paligemma" chat-template -m "$model" --messages "$scratch/messages.json" --chat-template "$scratch/own.jinja" \
    --add-generation-prompt --json
prints '{"text": "user<bos>: go"}'
expect 1 "$paligemma" chat-template -m "$model" --messages "$scratch/messages.json"
says "the checkpoint has no chat template"
feed '[{"role": "user"' 1 "$paligemma" chat-template -m "$scratch/chat" --messages -
expect 1 "$paligemma" chat-template -m "$scratch/chat" --messages "$scratch/no-such.json"
says "no-such.json"
expect 0 "$paligemma" process -m "$model" -i "$picture" -p "caption en" -o "$scratch/prompt.safetensors"
expect 0 "$paligemma" process -m "$scratch/chat" -i "$picture" --messages "$scratch/messages.json" \
    -o "$scratch/messages.safetensors"
cmp -s "$scratch/prompt.safetensors" "$scratch/messages.safetensors" || fail "--messages differs from -p"
expect 0 "$paligemma" generate -m "$model" -i "$picture" -p "caption en" --max-new-tokens 4
cp "$out" "$scratch/prompt.txt"
expect 0 "$paligemma" generate -m "$scratch/chat" -i "$picture" --messages "$scratch/messages.json" --max-new-tokens 4
cmp -s "$out" "$scratch/prompt.txt" || fail "generate --messages differs from -p"
expect 2 "$paligemma" generate -m "$model" -i "$picture" -p x --messages "$scratch/messages.json"
says "exclude each other"

# ---- embeddings
colpali=$data/colpali/hf
expect 0 "$paligemma" embed -m "$colpali" -i "$picture" -i "$picture" -o "$scratch/pages.safetensors" --json
prints '{"embeddings": {"dtype": "float32", "shape": [2, '
expect 0 "$paligemma" embed -m "$colpali" --query "the cat" -o "$scratch/queries.safetensors"
expect 0 "$paligemma" embed --score "$scratch/queries.safetensors" --score "$scratch/pages.safetensors" --json
prints '{"scores": [['
expect 0 "$paligemma" embed --score "$scratch/queries.safetensors" --score "$scratch/pages.safetensors"
awk '{ d = $1 - $2; exit !(NF == 2 && $1 > 0 && d < 1e-4 && d > -1e-4) }' "$out" || fail "one page has two scores"
expect 0 "$paligemma" embed -m "$model" --query "the cat" --pooling mean --normalize -o "$scratch/mean.safetensors"
expect 1 "$paligemma" embed --score "$scratch/mean.safetensors" --score "$scratch/pages.safetensors"
says "dimensions"
expect 1 "$paligemma" embed --score "$scratch/prompt.safetensors" --score "$scratch/pages.safetensors"
says "has no tensor embeddings"
expect 2 "$paligemma" embed -m "$model" --query x -i "$picture" -o "$scratch/x"
expect 2 "$paligemma" embed -m "$model" --query x --pooling max -o "$scratch/x"
says "none or mean"
expect 2 "$paligemma" embed --score x

# ---- tokenize, there and back
feed '"caption en"
"<loc0001> \u0063at \"quoted\""
""
' 0 "$paligemma" tokenize -m "$model"
[ "$(wc -l <"$out")" -eq 3 ] || fail "three lines in, not three out"
[ "$(sed -n 3p "$out")" = "[]" ] || fail "an empty text has tokens"
cp "$out" "$scratch/ids"
feed "$(cat "$scratch/ids")" 0 "$paligemma" tokenize -m "$model" --decode
[ "$(sed -n 1p "$out")" = '"caption en"' ] || fail "the first text did not come back: $(sed -n 1p "$out")"
[ "$(sed -n 2p "$out")" = '"<loc0001> cat \"quoted\""' ] || fail "the second text did not come back: $(sed -n 2p "$out")"
for wrong in 'caption' '"open' '"a" b' '"\q"' '"\ud800"'; do
    feed "\"fine\"
$wrong
" 1 "$paligemma" tokenize -m "$model"
    says "line 2"
done
for wrong in '[1, 2' '[1, "2"]' '[1.5]' '[1,]' '7' '[99999999]' '[-1]'; do
    feed "[]
$wrong
" 1 "$paligemma" tokenize -m "$model" --decode
    says "line 2"
done
feed '[2]' 0 "$paligemma" tokenize -m "$model" --decode
prints '""'
feed '[2]' 0 "$paligemma" tokenize -m "$model" --decode --keep-special
prints '"<bos>"'

# ---- process, forward
expect 0 "$paligemma" process -m "$model" -i "$picture" -p "caption en" -o "$scratch/inputs.safetensors" --json
for name in input_ids attention_mask pixel_values; do prints "\"$name\""; done
expect 0 "$paligemma" process -m "$model" -i "$picture" -p "caption en" --suffix "a cat" -o "$scratch/labels.safetensors" \
    --json
prints '"labels"'
expect 0 "$paligemma" forward -m "$model" --inputs "$scratch/inputs.safetensors" -o "$scratch/outputs.safetensors" \
    --logits-to-keep 1 --output-hidden-states --output-attentions --json
for name in logits image_hidden_states hidden_states.0 attentions.0; do prints "\"$name\""; done
expect 0 "$paligemma" forward -m "$model" --inputs "$scratch/labels.safetensors" -o "$scratch/loss.safetensors" --json \
    --dtype float32 --threads 1
prints '"loss": {"dtype": "float32", "shape": []}'
[ "$(wc -c <"$scratch/outputs.safetensors")" -gt 1000 ] || fail "outputs.safetensors is too short"
expect 2 "$paligemma" process -m "$model" -i "$picture" -p x -o "$scratch/x.safetensors" --threads 2
says "unknown option --threads"
expect 0 "$paligemma" forward -m "$model" --inputs "$scratch/inputs.safetensors" -o "$scratch/few.safetensors" --json \
    --features "$scratch/outputs.safetensors" --logits-index 0,-1 --attention-layers 0 --attention-heads 1,0
prints '"attentions.0": {"dtype": "float32", "shape": [1, 2,'
if grep -q '"attentions.1"' "$out"; then fail "a layer that nobody asked for"; fi
expect 0 "$paligemma" forward -m "$model" --inputs "$scratch/inputs.safetensors" -o "$scratch/divided.safetensors" --json \
    --image-states-divided --output-vision-hidden-states --logits-to-keep 1
prints '"vision_hidden_states.0"'
expect 0 "$paligemma" forward -m "$model" --inputs "$scratch/inputs.safetensors" -o "$scratch/again.safetensors" \
    --image-states-divided --features "$scratch/divided.safetensors" --logits-to-keep 1
expect 1 "$paligemma" forward -m "$model" --inputs "$scratch/inputs.safetensors" -o "$scratch/x.safetensors" \
    --features "$scratch/inputs.safetensors"
says "no tensor image_hidden_states"
expect 1 "$paligemma" forward -m "$model" --inputs "$scratch/inputs.safetensors" -o "$scratch/x.safetensors" \
    --attention-layers 99
says "attention_layers[0] is 99"
for wrong in "" 1, ,1 1,x 1.5 99999999999999999999; do
    expect 2 "$paligemma" forward -m "$model" --inputs x -o y --logits-index "$wrong"
    says "--logits-index takes whole numbers"
done
expect 2 "$paligemma" forward -m "$model" --inputs x -o y --logits-index 0 --logits-to-keep 1
says "exclude each other"
expect 1 "$paligemma" process -m "$model" -i "$picture" -p x -o "$scratch/no-such-folder/x.safetensors"
says "no-such-folder"
expect 1 "$paligemma" forward -m "$model" --inputs "$picture" -o "$scratch/x.safetensors"
says "picture.ppm"
expect 1 "$paligemma" process -m "$model" -i "$model/config.json" -p x -o "$scratch/x.safetensors"
says "config.json"

# ---- mask
expect 0 "$paligemma" mask -m "$model" -p "caption en" --suffix "a cat"
prints "■: image tokens"
prints "'<image>':  0 ■ ■"
prints " ■ ■ ⬚"
if grep -q "$(printf '\033')" "$out"; then fail "colours although this is no terminal"; fi
expect 0 "$paligemma" mask -m "$model" -p "<image>caption<image> en" --tokens-per-image 2 --color --layer 0 --pad-to 300
grep -q "$(printf '\033')" "$out" || fail "--color gave no colours"
checks=$((checks + 1))
[ "$(grep -c "'<image>'" "$out")" -eq 4 ] || fail "two pictures of two tokens are not four lines"
prints "'<pad>'"
expect 0 "$paligemma" mask -m "$model" -p "caption en" --json
prints '"token_type_ids": [0, 0'
prints '"mask": ["111'
expect 0 "$paligemma" mask -m "$model" -p "caption en" -o "$scratch/mask.png" --layer 1
[ "$(head -c 4 "$scratch/mask.png" | tail -c 3)" = PNG ] || fail "mask -o wrote no PNG"
expect 1 "$paligemma" mask -m "$model" -p "caption en" --layer 1000
says "no such layer"
expect 2 "$paligemma" mask -m "$model" -p "caption en" --tokens-per-image 1
expect 1 "$paligemma" mask -m "$model" -p "<image>a" --images 2
says "pictures"

# ---- attend
expect 0 "$paligemma" attend -m "$model" -i "$picture" -p "caption en" -o "$scratch/heat.png"
prints "answer token 0"
[ "$(head -c 4 "$scratch/heat.png" | tail -c 3)" = PNG ] || fail "attend wrote no PNG"
expect 0 "$paligemma" attend -m "$model" -i "$picture" -p "caption en" -o "$scratch/heat.png" --token caption --layers 0,-1 \
    --heads 0 --json
prints '"prompt_token":'
prints '"text": "caption"'
expect 0 "$paligemma" attend -m "$model" -i "$picture" -p "caption en" -o "$scratch/heat.png" --token 1 --json
prints '"answer_token": 1'
expect 0 "$paligemma" attend -m "$model" -i "$picture" -p "caption en" -o "$scratch/each.png" --each --max-new-tokens 2
[ -f "$scratch/each-0.png" ] && [ -f "$scratch/each-1.png" ] || fail "--each did not write a picture a token"
expect 1 "$paligemma" attend -m "$model" -i "$picture" -p "caption en" -o "$scratch/heat.png" --token nowhere-to-be-found
says "neither the prompt nor the answer"
expect 1 "$paligemma" attend -m "$model" -i "$picture" -p "caption en" -o "$scratch/heat.png" --layers 99
says "attention_layers[0] is 99"
expect 2 "$paligemma" attend -m "$model" -i "$picture" -p "caption en" -o "$scratch/heat.png" --each --token 1
expect 2 "$paligemma" attend -m "$model" -i "$picture" -p "caption en" -o "$scratch/heat.png" --image-index 1

# ---- explain
expect 0 "$paligemma" explain -m "$model" -i "$picture" -p "caption en"
prints "picture"
prints "warnings"
expect 0 "$paligemma" explain -m "$model" -i "$data/images/exif6.jpg" -i "$data/images/rgba8.png" -p " Read it
" --suffix "b" --json
for text in '"exif_orientation": 6' '"mode": "RGBA"' "EXIF orientation 6 is not applied" "transparency is dropped" \
    "begins with a space" "ends with a newline" 'begins with \"Read\"' '"suffix": 2'; do
    prints "$text"
done
expect 0 "$paligemma" explain -m "$model" -i "$data/images/gray16.png" -i "$data/images/cmyk.jpg" -p "detect cat, dog"
for text in "16-bit gray is clipped" "CMYK is converted" 'separated by " ; "'; do prints "$text"; done
expect 0 "$paligemma" explain -m "$model" -i "$picture" -p "caption"
prints "wants a language"
expect 1 "$paligemma" explain -m "$model" -i "$scratch/no-such-picture.png" -p "caption en"
expect 2 "$paligemma" explain -m "$model" -i "$picture" -p "caption en" --threads 1

# ---- diff
expect 0 "$paligemma" diff "$scratch/outputs.safetensors" "$scratch/outputs.safetensors" --atol 0 --rtol 0
prints "equal: "
expect 1 sh -c '"$1" diff "$2" "$3"; status=$?; echo said >&2; exit $status' diff "$paligemma" \
    "$scratch/outputs.safetensors" "$scratch/divided.safetensors"
prints "the first to depart is image_hidden_states, at "
prints "only in $scratch/divided.safetensors"
expect 1 sh -c '"$1" diff "$2" "$3" --json; status=$?; echo said >&2; exit $status' diff "$paligemma" \
    "$scratch/again.safetensors" "$scratch/outputs.safetensors"
prints '"equal": false, "first": "image_hidden_states"'
prints '"max_index": ['
expect 1 "$paligemma" diff "$scratch/outputs.safetensors" "$scratch/no-such.safetensors"
says "no-such.safetensors"
expect 2 "$paligemma" diff "$scratch/outputs.safetensors"
says "B.safetensors is missing"
expect 2 "$paligemma" diff a b c
expect 2 "$paligemma" diff a b --atol -1

# ---- generate
expect 0 "$paligemma" generate -m "$model" -i "$picture" -p "caption en" --max-new-tokens 3
[ "$(tail -c 1 "$out" | od -An -tx1 | tr -d ' ')" = 0a ] || fail "the answer does not end with a newline"
streamed=$(cat "$out")
expect 0 "$paligemma" generate -m "$model" -i "$picture" -p "caption en" --max-new-tokens 3 --json \
    --draw "$scratch/drawn.png"
for key in prompt_tokens token_ids text timing load_s image_s prefill_s decode_s decode_tokens tokens_per_s \
    peak_rss_bytes; do
    prints "\"$key\": "
done
[ "$(wc -l <"$out")" -eq 1 ] || fail "--json printed more than one line"
case $streamed in *[\"\\]*) ;; *) prints "\"text\": \"$streamed\"" ;; esac
[ "$(head -c 4 "$scratch/drawn.png" | tail -c 3)" = PNG ] || fail "--draw wrote no PNG"
expect 1 "$paligemma" generate -m "$model" -i "$picture" -p x --max-new-tokens 1 --draw "$scratch/no-such-folder/x.png"
says "no-such-folder"
[ ! -s "$out" ] || fail "an answer was made although its picture cannot be written"
expect 1 "$paligemma" generate -m "$model" -i "$picture" -p x --vae "$data/structured/small.npz"
says "small.npz"
expect 0 "$paligemma" generate -m "$model" -i "$picture" -p "detect red circle" --max-new-tokens 6 \
    --detections "$scratch/answer.json"
grep -q '"images": \[{"id": 1, "width": 4, "height": 2, "file_name": ' "$scratch/answer.json" ||
    fail "--detections wrote something else: $(cat "$scratch/answer.json")"
if [ "$model" = "$examples/tiny/model" ]; then # it finds the yellow circle, and says how sure it is
    expect 0 "$paligemma" generate -m "$model" -i "$examples/pictures/shapes.png" -p "detect yellow circle" \
        --detections "$scratch/answer.json"
    grep -q '"category_name": "yellow circle", .*"score": 0\.[0-9]*, "score_min": 0\.' "$scratch/answer.json" ||
        fail "--detections has no score: $(cat "$scratch/answer.json")"
fi
expect 0 "$paligemma" generate -m "$model" -i "$picture" -p "caption en" --max-new-tokens 3 --temperature 1 --seed 7
first=$(cat "$out")
expect 0 "$paligemma" generate -m "$model" -i "$picture" -p "caption en" --max-new-tokens 3 --temperature 1 --seed 7
[ "$(cat "$out")" = "$first" ] || fail "the same seed gave another answer"

# ---- caches: every kind, and an answer that is continued
for kind in dynamic static sliding; do
    expect 0 "$paligemma" generate -m "$model" -i "$picture" -p "caption en" --max-new-tokens 3 --cache $kind
    [ "$(cat "$out")" = "$streamed" ] || fail "--cache $kind gave another answer"
done
expect 0 "$paligemma" generate -m "$model" -i "$picture" -p "caption en" --max-new-tokens 3 --cache-dtype bfloat16
expect 2 "$paligemma" generate -m "$model" -i "$picture" -p x --cache elastic
says "elastic"
expect 2 "$paligemma" generate -m "$model" -p x
says "-i IMG is missing"
expect 2 "$paligemma" generate -m "$model" -p x --load-cache x --cache static
expect 1 "$paligemma" generate -m "$model" -p x --load-cache "$model/model.safetensors"
expect 0 "$paligemma" generate -m "$model" -i "$picture" -p "caption en" --max-new-tokens 3 --save-cache "$scratch/kv"
[ "$(cat "$out")" = "$streamed" ] || fail "--save-cache gave another answer"
expect 0 "$paligemma" generate -m "$model" --load-cache "$scratch/kv" -p " and" --max-new-tokens 2 --save-cache "$scratch/kv"
expect 0 "$paligemma" generate -m "$model" --load-cache "$scratch/kv" -p " so" --max-new-tokens 2
if [ "$model" = "$examples/tiny/model" ]; then
    expect 0 "$paligemma" generate -m "$model" -i "$examples/pictures/shapes.png" -p "caption en" --max-new-tokens 1 \
        --save-cache "$scratch/kv"
    expect 0 "$paligemma" generate -m "$model" --load-cache "$scratch/kv" -p " a" --max-new-tokens 9
    prints "circle"
    expect 0 "$paligemma" generate -m "$model" --load-cache "$scratch/kv" -p " a" --max-new-tokens 9 --stop circle --json
    prints '"finish_reason": "stop_string"'
fi
expect 1 "$paligemma" generate -m "$model" --load-cache "$scratch/kv" -p "<image>"
says "continuation"
expect 1 "$paligemma" generate -m "$model" --load-cache "$scratch/kv" -p ""
says "no text"

# ---- a forward pass in parts: what a cache of two passes gives is what one pass gives, and a slot can be gone back to
expect 0 "$paligemma" forward -m "$data/models/pg2" --inputs "$data/models/pg2/generate.inputs.safetensors" \
    -o "$scratch/first.safetensors" --logits-to-keep 1 --save-cache "$scratch/kv"
expect 0 "$paligemma" forward -m "$data/models/pg2" --inputs "$data/models/pg2/generate.inputs.safetensors" \
    -o "$scratch/again.safetensors" --logits-to-keep 1 --load-cache "$scratch/kv" --cache-position 0
expect 0 "$paligemma" diff "$scratch/first.safetensors" "$scratch/again.safetensors" --atol 0 --rtol 0
expect 2 "$paligemma" forward -m x --inputs x -o y --cache-position 3
says "needs --load-cache"
expect 1 "$paligemma" forward -m "$data/models/pg2" --inputs "$data/models/pg2/generate.inputs.safetensors" \
    -o "$scratch/again.safetensors" --load-cache "$scratch/kv" --cache-position 99999

# ---- what excludes each other
expect 1 "$paligemma" generate -m "$model" -i "$picture" -p x --constrain choices --choices yes --force-words no
says "exclude each other"
expect 1 "$paligemma" generate -m "$model" -i "$picture" -p x --constrain choices --choices yes --min-new-tokens 5
says "exclude each other"
expect 1 "$paligemma" chat-template -m "$data/models/pg1" --messages "$scratch/lines" --name nonsense
says 'no chat template named "nonsense"'
expect 1 "$paligemma" embed -m "$model" -i "$picture" -o "$scratch/e.safetensors" --adapter "$scratch/no-such-adapter"
says "no-such-adapter"
mkdir -p "$scratch/drawing"
cp "$model"/* "$scratch/drawing/"
printf '{"do_sample": true, "temperature": 3.0, "eos_token_id": 1}' >"$scratch/drawing/generation_config.json"
expect 0 "$paligemma" generate -m "$scratch/drawing" -i "$picture" -p "caption en" --max-new-tokens 3 --temperature 0
[ "$(cat "$out")" = "$streamed" ] || fail "--temperature 0 is not greedy where generation_config.json samples"

# ---- batch: lines of prompts, each answered as alone
printf '{"image": "%s", "prompt": "caption en"}\n\n{"prompt": "answer \\u0065n", "image": ["%s", "%s"]}\n' \
    "$picture" "$picture" "$picture" >"$scratch/lines"
for size in 16 1; do
    expect 0 "$paligemma" batch -m "$model" "$scratch/lines" --max-new-tokens 3 --batch-size $size --cache sliding
    [ "$(wc -l <"$out")" -eq 2 ] || fail "batch did not print a line for each"
    prints '{"prompt": "answer en", "text": '
    case $streamed in *[\"\\]*) ;; *) prints "\"prompt\": \"caption en\", \"text\": \"$streamed\"" ;; esac
done
for line in '{' '{}' '[]' '{"prompt": "x"}' '{"prompt": "x", "image": []}' '{"prompt": "x", "image": ["a"' \
    '{"prompt" "x"}' '{"prompt": "x", "image": "a", "other": "b"}' '{"prompt": "x\u0000", "image": "a"}' \
    '{"prompt": "x", "image": "a"} more' '{"prompt": "x\' '{"prompt": "x", "image": "a",}'; do
    feed "$line" 1 "$paligemma" batch -m "$model" -
    says "line 1 of standard input"
done
printf '{"image": "%s", "prompt": "caption en"}\n{"image": ["%s"], "prompt": "<image>caption en"}\n' "$picture" "$picture" >"$scratch/lines"
expect 0 "$paligemma" batch -m "$model" "$scratch/lines" --max-new-tokens 3
case $streamed in
*[\"\\]*) ;;
*) [ "$(grep -cF "\"text\": \"$streamed\"" "$out")" -eq 2 ] || fail "one line's pictures went to another: $(cat "$out")" ;;
esac
printf '{"image": "%s", "prompt": "x"}\n{"image": "%s", "prompt": "<image><image>x"}\n' "$picture" "$picture" >"$scratch/lines"
expect 1 "$paligemma" batch -m "$model" "$scratch/lines"
says "line 2: 2 <image> in the prompt and 1 pictures"
feed '{"prompt": "x", "image": "nothing.png"}' 1 "$paligemma" batch -m "$model" -
says "nothing.png"
feed '' 0 "$paligemma" batch -m "$model" -
expect 1 "$paligemma" batch -m "$model" "$scratch/no-such-file"
expect 2 "$paligemma" batch -m "$model"
# ---- constrained answers, guesses, scores
expect 0 "$paligemma" generate -m "$model" -i "$picture" -p "caption en" --constrain choices --choices yes --choices no \
    --json
grep -qE '"text": "(yes|no)"' "$out" || fail "not one of the choices: $(cat "$out")"
prints '"finish_reason": "constraint"'
expect 0 "$paligemma" generate -m "$model" -i "$picture" -p "caption en" --constrain detect --labels "red circle" \
    --labels circle --temperature 2 --seed 5
grep -qE '^(<loc[0-9]{4}>){4} (red )?circle( ; (<loc[0-9]{4}>){4} (red )?circle)*$' "$out" || fail "no boxes: $(cat "$out")"
expect 0 "$paligemma" generate -m "$model" -i "$picture" -p "caption en" --constrain segment --max-new-tokens 40
grep -qE '^(<loc[0-9]{4}>){4}(<seg[0-9]{3}>){16} [^;<>]+$' "$out" || fail "no mask: $(cat "$out")"
expect 1 "$paligemma" generate -m "$model" -i "$picture" -p "caption en" --constrain segment --max-new-tokens 20
says "max_new_tokens is 20"
expect 1 "$paligemma" generate -m "$model" -i "$picture" -p "caption en" --constrain detect --labels "a;b"
says "labels[0]"
expect 0 "$paligemma" generate -m "$model" -i "$picture" -p "caption en" --max-new-tokens 12
plain=$(cat "$out")
expect 0 "$paligemma" generate -m "$model" -i "$picture" -p "caption en" --max-new-tokens 12 --prompt-lookup-num-tokens 3
[ "$(cat "$out")" = "$plain" ] || fail "guesses changed the answer"
expect 0 "$paligemma" score -m "$model" -i "$picture" -p "caption en" --suffix yes --suffix no --suffix "a red circle"
[ "$(wc -l <"$out")" -eq 3 ] || fail "three suffixes, not three lines"
[ "$(cut -f 1 "$out")" = "$(cut -f 1 "$out" | sort -g -r)" ] || fail "not ranked: $(cat "$out")"
expect 1 "$paligemma" score -m "$model" -i "$picture" -p "caption en" --suffix yes --adapter "$scratch/no-such-adapter"
says "no-such-adapter"
expect 0 "$paligemma" score -m "$data/models/pg1" -i "$picture" -p "the cat" --suffix red
plain=$(cat "$out")
expect 0 "$paligemma" score -m "$data/models/pg1" -i "$picture" -p "the cat" --suffix red --adapter "$data/adapters/pg1-all"
[ "$(cat "$out")" != "$plain" ] || fail "an adapter changes no score"
expect 0 "$paligemma" score -m "$model" -i "$picture" -p "caption en" --suffix yes --suffix "a cat" --json --by-mean
for key in suffixes suffix logprob mean_logprob token_ids token_logprobs; do prints "\"$key\": "; done
expect 1 "$paligemma" score -m "$model" -i "$picture" -p "caption en" --suffix "" --without-eos
says "suffix 0 has no tokens"

# ---- generate: options
ask() {
    status=$1
    shift
    expect "$status" "$paligemma" generate -m "$model" -i "$picture" -p "caption en" "$@"
}
ask 0 --max-new-tokens 3 --json
prints '"finish_reason": "'
ask 0 --max-new-tokens 3 --json --logprobs --top-logprobs 2 --repetition-penalty 1.2 --no-repeat-ngram-size 2 \
    --presence-penalty 0.1 --frequency-penalty 0.1 --logit-bias 5:-1.5 --logit-bias 6:-inf --bad-words zebra \
    --min-new-tokens 2
for key in score logprobs top_logprobs; do prints "\"$key\": "; done
ask 0 --max-new-tokens 4 --num-beams 3 --num-return-sequences 2 --length-penalty 0.5 --early-stopping true
[ "$(wc -l <"$out")" -eq 2 ] || fail "two answers are not two lines"
ask 0 --max-new-tokens 4 --temperature 1 --top-k -1 --top-p 0.9 --min-p 0.01 --typical-p 0.9 --best-of 4 \
    --num-return-sequences 3 --json
prints '"answers": [{'
ask 0 --max-new-tokens 9 --force-words " zebra"
prints " zebra"
ask 0 --max-new-tokens 9 --stop zebra --force-words " zebra" --json
prints '"finish_reason": "stop_string"'
ask 0 --max-new-tokens 9 --eos-token-id 5 --eos-token-id 1
ask 1 --top-k 3
says "top_k is without effect"
ask 1 --logit-bias 99999999:1
says "logit_bias"
ask 1 --num-return-sequences 2
says "one answer"
ask 2 --num-beams 2 --temperature 1
says "exclude each other"
ask 2 --logprobs
says "need --json"
ask 2 --early-stopping often
says "true, false or never"
for wrong in 5 :1 5: 5:nan 5:1x; do
    ask 2 --logit-bias $wrong
    says "ID:BIAS"
done
ask 2 --eos-token-id one
says "token id"
ask 2 --num-beams 65
# ---- save, adapters
rm -rf "$scratch/saved" "$scratch/sharded" "$scratch/merged" "$scratch/stopped"
expect 0 "$paligemma" save "$model" "$scratch/saved" --dtype float32 --json
prints '"name_style": "transformers-4"'
expect 1 "$paligemma" save "$model" "$scratch/saved"
says "is not empty"
expect 0 "$paligemma" save "$scratch/saved" "$scratch/sharded" --dtype bfloat16 --name-style modules-5 \
    --max-shard-size 1MiB --write-tied-head
[ -f "$scratch/sharded/model.safetensors.index.json" ] || fail "no shards"
expect 0 "$paligemma" info "$scratch/sharded" --json
prints '"missing": []'
prints '"unexpected": []'
expect 0 "$paligemma" forward -m "$model" --dtype float32 --inputs "$scratch/inputs.safetensors" \
    -o "$scratch/original.safetensors" --threads 1
expect 0 "$paligemma" forward -m "$scratch/saved" --inputs "$scratch/inputs.safetensors" \
    -o "$scratch/again.safetensors" --threads 1
cmp -s "$scratch/original.safetensors" "$scratch/again.safetensors" || fail "the saved checkpoint gives other outputs"
base=$data/models/pg1 adapter=$data/adapters/pg1-second
if [ -d "$base" ] && [ -d "$adapter" ]; then
    cp -r "$adapter" "$scratch/a=b" 2>/dev/null
    expect 0 "$paligemma" save "$base" "$scratch/merged" --adapter "$adapter=0.5" --adapter "$scratch/a=b"
    expect 0 "$paligemma" forward -m "$scratch/merged" --inputs "$base/basic.inputs.safetensors" \
        -o "$scratch/merged.safetensors"
    expect 0 "$paligemma" forward -m "$base" --inputs "$base/basic.inputs.safetensors" --adapter "$adapter=1.5" \
        -o "$scratch/beside.safetensors"
    cmp -s "$scratch/original.safetensors" "$scratch/beside.safetensors" && fail "the adapter changes nothing"
    expect 0 "$paligemma" generate -m "$base" -i "$picture" -p "caption en" --max-new-tokens 2 --adapter "$adapter"
    expect 1 "$paligemma" generate -m "$base" -i "$picture" -p "caption en" --adapter "$scratch/no-such-adapter=2"
    says "no-such-adapter/adapter_config.json"
    expect 1 "$paligemma" save "$base" "$scratch/stopped" --adapter "$data/adapters/pg2-rs"
    says "do not fit"
    [ ! -e "$scratch/stopped" ] || fail "a failed save left a directory"
fi

# ---- quantize with a calibration
rm -rf "$scratch/calibrated" "$scratch/nearest"
printf '{"image": "%s", "prompt": "caption en", "suffix": "a red circle"}\n\n{"image": "%s", "prompt": "detect circle"}\n' \
    "$picture" "$picture" >"$scratch/calibration"
expect 0 "$paligemma" quantize "$model" "$scratch/calibrated" --scheme int4_weight_only --group-size 32 \
    --calibrate "$scratch/calibration"
expect 0 "$paligemma" quantize "$model" "$scratch/nearest" --scheme int4_weight_only --group-size 32
cmp -s "$scratch/calibrated/model.safetensors" "$scratch/nearest/model.safetensors" && fail "the calibration changes nothing"
expect 0 "$paligemma" generate -m "$scratch/calibrated" -i "$picture" -p "caption en" --max-new-tokens 3
rm -rf "$scratch/calibrated"
for line in '' '{"image": "nothing.png", "prompt": "x"}' '{"prompt": "x", "suffix": "y"}' '{"image": "x", "prompt": "x", "answer": "y"}'; do
    feed "$line" 1 "$paligemma" quantize "$model" "$scratch/calibrated" --scheme int8_weight_only --calibrate -
    [ ! -e "$scratch/calibrated" ] || fail "a calibration without inputs left a directory"
done
expect 1 "$paligemma" quantize "$model" "$scratch/calibrated" --scheme int8_weight_only --calibrate "$scratch/no-such-file"
says "no-such-file"
cat "$scratch/calibration" >"$scratch/lines"
expect 1 "$paligemma" batch -m "$model" "$scratch/lines"
says "suffix"

# ---- output that nobody takes
if [ -w /dev/full ]; then
    checks=$((checks + 1))
    "$paligemma" info "$model" >/dev/full 2>"$err"
    [ $? -eq 1 ] || fail "a full device went unnoticed"
    says "standard output"
fi
checks=$((checks + 1))
{ "$paligemma" info "$model" --tensors 2>"$err"; echo $? >"$scratch/status"; } | :
case $(cat "$scratch/status") in
0 | 1) ;; # 0 if all went into the pipe before its reader left
*) fail "a closed pipe ended the command with status $(cat "$scratch/status")" ;;
esac

echo "test_cli: $checks checks, $failures failed"
[ $failures -eq 0 ]
