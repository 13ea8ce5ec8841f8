# SPDX-License-Identifier: BSD-2-Clause
# paligemma in bash. Made by make_completions.sh of what --help says; not to be changed by hand.
_paligemma()
{
    local current=${COMP_WORDS[COMP_CWORD]} before=$((COMP_CWORD - 1)) words= kind=
    if [[ $current == = ]]; then # bash makes a word of its own of the = in --option=value
        current=
    elif [[ ${COMP_WORDS[before]} == = ]]; then
        before=$((before - 1))
    fi
    COMPREPLY=()
    if ((COMP_CWORD == 1)); then
        words="generate batch score process forward tokenize bench detections embed chat-template info mask attend explain diff save quantize --help --version"
    else
        case "${COMP_WORDS[1]} ${COMP_WORDS[before]}" in
        "generate -m" | "generate --model") kind=directory ;;
        "generate --dtype") words="float32 bfloat16" ;;
        "generate --threads") kind=other ;;
        "generate -i" | "generate --image") kind=file ;;
        "generate -p" | "generate --prompt") kind=other ;;
        "generate --messages") kind=file ;;
        "generate --max-new-tokens") kind=other ;;
        "generate --min-new-tokens") kind=other ;;
        "generate --eos-token-id") kind=other ;;
        "generate --stop") kind=other ;;
        "generate --temperature") kind=other ;;
        "generate --top-k") kind=other ;;
        "generate --top-p") kind=other ;;
        "generate --min-p") kind=other ;;
        "generate --typical-p") kind=other ;;
        "generate --seed") kind=other ;;
        "generate --repetition-penalty") kind=other ;;
        "generate --presence-penalty") kind=other ;;
        "generate --frequency-penalty") kind=other ;;
        "generate --no-repeat-ngram-size") kind=other ;;
        "generate --logit-bias") kind=other ;;
        "generate --bad-words") kind=other ;;
        "generate --force-words") kind=other ;;
        "generate --num-beams") kind=other ;;
        "generate --length-penalty") kind=other ;;
        "generate --early-stopping") words="true false never" ;;
        "generate --num-return-sequences") kind=other ;;
        "generate --best-of") kind=other ;;
        "generate --top-logprobs") kind=other ;;
        "generate --constrain") words="detect segment choices" ;;
        "generate --choices") kind=other ;;
        "generate --labels") kind=other ;;
        "generate --prompt-lookup-num-tokens") kind=other ;;
        "generate --adapter") kind=directory ;;
        "generate --draw") kind=file ;;
        "generate --detections") kind=file ;;
        "generate --vae") kind=file ;;
        "generate --scale") words="1024 1023" ;;
        "generate --cache") words="dynamic static sliding" ;;
        "generate --cache-dtype") words="float32 bfloat16" ;;
        "generate --load-cache") kind=file ;;
        "generate --save-cache") kind=file ;;
        "batch -m" | "batch --model") kind=directory ;;
        "batch --dtype") words="float32 bfloat16" ;;
        "batch --threads") kind=other ;;
        "batch --batch-size") kind=other ;;
        "batch --max-new-tokens") kind=other ;;
        "batch --cache") words="dynamic static sliding" ;;
        "batch --cache-dtype") words="float32 bfloat16" ;;
        "score -m" | "score --model") kind=directory ;;
        "score --dtype") words="float32 bfloat16" ;;
        "score --threads") kind=other ;;
        "score -i" | "score --image") kind=file ;;
        "score -p" | "score --prompt") kind=other ;;
        "score --suffix") kind=other ;;
        "score --adapter") kind=directory ;;
        "process -m" | "process --model") kind=directory ;;
        "process -i" | "process --image") kind=file ;;
        "process -p" | "process --prompt") kind=other ;;
        "process --messages") kind=file ;;
        "process --suffix") kind=other ;;
        "process -o" | "process --output") kind=file ;;
        "forward -m" | "forward --model") kind=directory ;;
        "forward --dtype") words="float32 bfloat16" ;;
        "forward --threads") kind=other ;;
        "forward --inputs") kind=file ;;
        "forward -o" | "forward --output") kind=file ;;
        "forward --features") kind=file ;;
        "forward --prefix-length") kind=other ;;
        "forward --logits-to-keep") kind=other ;;
        "forward --logits-index") kind=other ;;
        "forward --attention-layers") kind=other ;;
        "forward --attention-heads") kind=other ;;
        "forward --load-cache") kind=file ;;
        "forward --save-cache") kind=file ;;
        "forward --cache-position") kind=other ;;
        "forward --adapter") kind=directory ;;
        "tokenize -m" | "tokenize --model") kind=directory ;;
        "tokenize --dtype") words="float32 bfloat16" ;;
        "tokenize --threads") kind=other ;;
        "bench -m" | "bench --model") kind=directory ;;
        "bench --dtype") words="float32 bfloat16" ;;
        "bench --threads") kind=other ;;
        "bench --image-size") kind=other ;;
        "bench --prompt-tokens") kind=other ;;
        "bench --new-tokens") kind=other ;;
        "bench --rows") kind=other ;;
        "bench --runs") kind=other ;;
        "detections -t" | "detections --text") kind=other ;;
        "detections -i" | "detections --image") kind=file ;;
        "detections --size") kind=other ;;
        "detections --draw") kind=file ;;
        "detections -o" | "detections --output") kind=file ;;
        "detections --vae") kind=file ;;
        "detections --scale") words="1024 1023" ;;
        "detections --encode") kind=file ;;
        "embed -m" | "embed --model") kind=directory ;;
        "embed --dtype") words="float32 bfloat16" ;;
        "embed --threads") kind=other ;;
        "embed -i" | "embed --image") kind=file ;;
        "embed --query") kind=other ;;
        "embed -o" | "embed --output") kind=file ;;
        "embed --pooling") words="none mean" ;;
        "embed --adapter") kind=directory ;;
        "embed --score") kind=file ;;
        "chat-template -m" | "chat-template --model") kind=directory ;;
        "chat-template --messages") kind=file ;;
        "chat-template --name") kind=other ;;
        "chat-template --chat-template") kind=file ;;
        "info -m" | "info --model") kind=directory ;;
        "info --dtype") words="float32 bfloat16" ;;
        "info --threads") kind=other ;;
        "info --tokens") kind=other ;;
        "mask -m" | "mask --model") kind=directory ;;
        "mask -p" | "mask --prompt") kind=other ;;
        "mask --suffix") kind=other ;;
        "mask --images") kind=other ;;
        "mask --pad-to") kind=other ;;
        "mask --layer") kind=other ;;
        "mask --tokens-per-image") kind=other ;;
        "mask -o" | "mask --output") kind=file ;;
        "mask --scale") kind=other ;;
        "attend -m" | "attend --model") kind=directory ;;
        "attend --dtype") words="float32 bfloat16" ;;
        "attend --threads") kind=other ;;
        "attend -i" | "attend --image") kind=file ;;
        "attend -p" | "attend --prompt") kind=other ;;
        "attend -o" | "attend --output") kind=file ;;
        "attend --token") kind=other ;;
        "attend --max-new-tokens") kind=other ;;
        "attend --layers") kind=other ;;
        "attend --heads") kind=other ;;
        "attend --image-index") kind=other ;;
        "attend --opacity") kind=other ;;
        "explain -m" | "explain --model") kind=directory ;;
        "explain --dtype") words="float32 bfloat16" ;;
        "explain -i" | "explain --image") kind=file ;;
        "explain -p" | "explain --prompt") kind=other ;;
        "explain --suffix") kind=other ;;
        "diff --atol") kind=other ;;
        "diff --rtol") kind=other ;;
        "save --dtype") words="float32 bfloat16 float16" ;;
        "save --name-style") words="transformers-4 transformers-5 modules-4 modules-5" ;;
        "save --max-shard-size") kind=other ;;
        "save --adapter") kind=directory ;;
        "quantize --scheme") kind=other ;;
        "quantize --group-size") kind=other ;;
        "quantize --parts") kind=other ;;
        "quantize --calibrate") kind=file ;;
        "quantize --max-shard-size") kind=other ;;
        "quantize --threads") kind=other ;;
        *)
            case ${COMP_WORDS[1]} in
            generate)
                words="-m --model --dtype --threads --copy-weights --int8-head --no-int8-head --ignore-memory --json -i --image -p --prompt --messages --max-new-tokens --min-new-tokens --eos-token-id --stop --temperature --top-k --top-p --min-p --typical-p --seed --repetition-penalty --presence-penalty --frequency-penalty --no-repeat-ngram-size --logit-bias --bad-words --force-words --num-beams --length-penalty --early-stopping --num-return-sequences --best-of --logprobs --top-logprobs --constrain --choices --labels --allow-empty --prompt-lookup-num-tokens --adapter --draw --detections --vae --scale --cache --cache-dtype --load-cache --save-cache -h --help"
                kind=other
                ;;
            batch)
                words="-m --model --dtype --threads --copy-weights --int8-head --no-int8-head --ignore-memory --json --batch-size --max-new-tokens --cache --cache-dtype -h --help"
                kind=file
                ;;
            score)
                words="-m --model --dtype --threads --copy-weights --int8-head --no-int8-head --ignore-memory --json -i --image -p --prompt --suffix --adapter --by-mean --without-eos -h --help"
                kind=other
                ;;
            process)
                words="-m --model --json -i --image -p --prompt --messages --suffix -o --output -h --help"
                kind=other
                ;;
            forward)
                words="-m --model --dtype --threads --copy-weights --int8-head --no-int8-head --ignore-memory --json --inputs -o --output --features --prefix-length --logits-to-keep --logits-index --output-hidden-states --output-vision-hidden-states --output-attentions --attention-layers --attention-heads --load-cache --save-cache --cache-position --adapter --image-states-divided -h --help"
                kind=other
                ;;
            tokenize)
                words="-m --model --dtype --threads --copy-weights --int8-head --no-int8-head --ignore-memory --json --decode --keep-special -h --help"
                kind=other
                ;;
            bench)
                words="-m --model --dtype --threads --copy-weights --int8-head --no-int8-head --ignore-memory --json --image-size --prompt-tokens --new-tokens --rows --runs -h --help"
                kind=other
                ;;
            detections)
                words="-t --text -i --image --size --draw -o --output --vae --scale --rle-list --encode -h --help"
                kind=other
                ;;
            embed)
                words="-m --model --dtype --threads --copy-weights --int8-head --no-int8-head --ignore-memory --json -i --image --query -o --output --pooling --normalize --adapter --skip-projection --score -h --help"
                kind=other
                ;;
            chat-template)
                words="-m --model --messages --add-generation-prompt --name --chat-template --json -h --help"
                kind=other
                ;;
            info)
                words="-m --model --dtype --threads --copy-weights --int8-head --no-int8-head --ignore-memory --json --tensors --tokens -h --help"
                kind=directory
                ;;
            mask)
                words="-m --model --json -p --prompt --suffix --images --pad-to --layer --tokens-per-image --color -o --output --scale -h --help"
                kind=other
                ;;
            attend)
                words="-m --model --dtype --threads --copy-weights --int8-head --no-int8-head --ignore-memory --json -i --image -p --prompt -o --output --token --each --max-new-tokens --layers --heads --image-index --opacity -h --help"
                kind=other
                ;;
            explain)
                words="-m --model --dtype --json -i --image -p --prompt --suffix -h --help"
                kind=other
                ;;
            diff)
                words="--atol --rtol --all --json -h --help"
                kind=file
                ;;
            save)
                words="--dtype --name-style --max-shard-size --adapter --write-tied-head --json -h --help"
                kind=directory
                ;;
            quantize)
                words="--scheme --group-size --zero-points --parts --largest-value-scales --calibrate --max-shard-size --threads --json -h --help"
                kind=directory
                ;;
            esac
            [[ $current == -* ]] || words=
            ;;
        esac
    fi
    if [[ $words ]]; then
        mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
    elif [[ $kind == directory ]]; then
        compopt -o dirnames
    elif [[ $kind == file ]]; then
        compopt -o default
    fi
}
complete -F _paligemma paligemma
