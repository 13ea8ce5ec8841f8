# SPDX-License-Identifier: BSD-2-Clause
"""Write tests/data/chat/cases.json: chat templates rendered by Transformers' processor, or the fact that it fails.

    python make_chat_fixtures.py [OUT_DIR]
"""
import argparse
import copy
import json
import pathlib

import transformers
from transformers import AutoProcessor

import chat_templates as chat


def render(processor, template, messages, prompt):
    """The text, or None where Jinja, the sandbox or the template itself gives up."""
    try:
        return processor.apply_chat_template(copy.deepcopy(messages), chat_template=template,
                                             add_generation_prompt=prompt, tokenize=False)
    except Exception as error:  # Whatever it is: the test wants a failure too.
        return None, type(error).__name__, str(error).splitlines()[0]


def cases(processor):
    for template_name, template in chat.TEMPLATES.items():
        for messages_name, messages in chat.MESSAGES.items():
            for prompt in (False, True):
                yield f"{template_name}|{messages_name}|{int(prompt)}", template, messages, prompt
    for i, template in enumerate(chat.LANGUAGE):
        yield f"language|{i}", template, chat.MESSAGES["turns"], False
    for i, template in enumerate(chat.FAILING):
        yield f"failing|{i}", template, chat.MESSAGES["turns"], False


def main():
    here = pathlib.Path(__file__).resolve().parent
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", nargs="?", type=pathlib.Path, default=here.parent / "data" / "chat")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    processor = AutoProcessor.from_pretrained(here.parent / "data" / "models" / "pg1")
    texts, failed = {"templates": {}, "messages": chat.MESSAGES, "cases": []}, 0
    for name, template, messages, prompt in cases(processor):
        kind, *rest = name.split("|")
        key = kind if kind in chat.TEMPLATES else name
        texts["templates"][key] = template
        result = render(processor, template, messages, prompt)
        case = {"name": name, "template": key, "messages": rest[0] if kind in chat.TEMPLATES else "turns",
                "add_generation_prompt": prompt}
        if isinstance(result, str):
            case["text"] = result
        else:
            failed += 1
            case["error"] = result[1]
            if result[1] == "TemplateError":
                case["raises"] = result[2]
            if kind == "language":
                raise SystemExit(f"{template!r}: {result}")
        if kind == "failing" and isinstance(result, str):
            raise SystemExit(f"{template!r} does not fail: {result!r}")
        texts["cases"].append(case)
    path = options.out / "cases.json"
    path.write_text(json.dumps(texts, indent=0, ensure_ascii=False) + "\n", encoding="utf-8")
    print("transformers", transformers.__version__, len(texts["cases"]), "cases,", failed, "of them fail")


if __name__ == "__main__":
    main()
