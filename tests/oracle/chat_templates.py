# SPDX-License-Identifier: BSD-2-Clause
"""Chat templates in the styles that checkpoints have, lists of messages, and small pieces of the language."""

PALIGEMMA = """{%- for message in messages -%}
{%- if message.content is string -%}
{{ message.content }}
{%- else -%}
{%- for block in message.content if block.type == 'image' -%}<image>{%- endfor -%}
{%- for block in message['content'] if block['type'] == 'text' -%}{{ block['text'] | trim }}{%- endfor -%}
{%- endif -%}
{%- endfor -%}
"""

PALIGEMMA_PLAIN = """{% for message in messages %}{% if message['role'] == 'user' %}{% if message['content'] is string %}
{{- message['content'] }}{% else %}{% for item in message['content'] %}{% if item['type'] == 'text' %}
{{- item['text'] }}{% endif %}{% endfor %}{% endif %}{% endif %}{% endfor %}"""

GEMMA = """{{ bos_token }}{% if messages[0]['role'] == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}
{%- for message in messages %}
{%- if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}
{{ raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') }}
{%- endif %}
{%- if (message['role'] == 'assistant') %}{% set role = 'model' %}{% else %}{% set role = message['role'] %}{% endif %}
{{- '<start_of_turn>' + role + '\\n' }}
{%- if message['content'] is string %}{{ message['content'] | trim }}
{%- else %}{% for item in message['content'] %}{% if item.type == 'image' %}{{ '<image>' }}{% elif item.type == 'text' %}
{{- item.text | trim }}{% endif %}{% endfor %}{% endif %}
{{- '<end_of_turn>\\n' }}
{%- endfor %}
{%- if add_generation_prompt %}{{ '<start_of_turn>model\\n' }}{% endif %}
"""

GEMMA3 = """{{ bos_token }}
{%- if messages[0]['role'] == 'system' -%}
    {%- if messages[0]['content'] is string -%}
        {%- set first_user_prefix = messages[0]['content'] + '\\n\\n' -%}
    {%- else -%}
        {%- set first_user_prefix = messages[0]['content'][0]['text'] + '\\n\\n' -%}
    {%- endif -%}
    {%- set loop_messages = messages[1:] -%}
{%- else -%}
    {%- set first_user_prefix = "" -%}
    {%- set loop_messages = messages -%}
{%- endif -%}
{%- for message in loop_messages -%}
    {%- if (message['role'] == 'user') != (loop.index0 % 2 == 0) -%}
        {{ raise_exception("Conversation roles must alternate user/assistant/user/assistant/...") }}
    {%- endif -%}
    {%- if (message['role'] == 'assistant') -%}
        {%- set role = "model" -%}
    {%- else -%}
        {%- set role = message['role'] -%}
    {%- endif -%}
    {{ '<start_of_turn>' + role + '\\n' + (first_user_prefix if loop.first else "") }}
    {%- if message['content'] is string -%}
        {{ message['content'] | trim }}
    {%- elif message['content'] is iterable -%}
        {%- for item in message['content'] -%}
            {%- if item['type'] == 'image' -%}
                {{ '<start_of_image>' }}
            {%- elif item['type'] == 'text' -%}
                {{ item['text'] | trim }}
            {%- endif -%}
        {%- endfor -%}
    {%- else -%}
        {{ raise_exception("Invalid content type") }}
    {%- endif -%}
    {{ '<end_of_turn>\\n' }}
{%- endfor -%}
{%- if add_generation_prompt -%}
    {{'<start_of_turn>model\\n'}}
{%- endif -%}
"""

CHATML = """{% for message in messages %}{{'<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n'}}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"""

CHATML_BLOCKS = """{% for message in messages %}
{% if loop.first and message.role != 'system' %}
<|im_start|>system
You are a helpful assistant.<|im_end|>
{% endif %}
<|im_start|>{{ message.role }}
{% if message.content is string %}
{{ message.content }}<|im_end|>
{% else %}
{% for content in message.content %}
{% if content.type == 'image' or 'image' in content or 'image_url' in content %}
<|vision_start|><|image_pad|><|vision_end|>
{% elif 'text' in content %}
{{ content.text }}
{% endif %}
{% endfor %}
<|im_end|>
{% endif %}
{% endfor %}
{% if add_generation_prompt %}
<|im_start|>assistant
{% endif %}
"""

LLAMA2 = """{% if messages[0]['role'] == 'system' %}{% set loop_messages = messages[1:] %}{% set system_message = messages[0]['content'] %}{% else %}{% set loop_messages = messages %}{% set system_message = false %}{% endif %}{% for message in loop_messages %}{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') }}{% endif %}{% if loop.index0 == 0 and system_message != false %}{% set content = '<<SYS>>\\n' + system_message + '\\n<</SYS>>\\n\\n' + message['content'] %}{% else %}{% set content = message['content'] %}{% endif %}{% if message['role'] == 'user' %}{{ bos_token + '[INST] ' + content.strip() + ' [/INST]' }}{% elif message['role'] == 'assistant' %}{{ ' '  + content.strip() + ' ' + eos_token }}{% endif %}{% endfor %}"""

LLAMA3 = """{{- bos_token }}
{%- if custom_tools is defined %}
    {%- set tools = custom_tools %}
{%- endif %}
{%- if not date_string is defined %}
    {%- set date_string = "26 Jul 2024" %}
{%- endif %}
{%- if not tools is defined %}
    {%- set tools = none %}
{%- endif %}
{#- This block extracts the system message. #}
{%- if messages[0]['role'] == 'system' %}
    {%- if messages[0].content is not string %}
        {%- set system_message = messages[0]['content'] | selectattr('type', 'equalto', 'text') | map(attribute='text') | join(' ') %}
    {%- else %}
        {%- set system_message = messages[0]['content']|trim %}
    {%- endif %}
    {%- set messages = messages[1:] %}
{%- else %}
    {%- set system_message = "" %}
{%- endif %}
{{- "<|start_header_id|>system<|end_header_id|>\\n\\n" }}
{%- if tools is not none %}
    {{- "Environment: ipython\\n" }}
{%- endif %}
{{- "Today Date: " + date_string + "\\n\\n" }}
{{- system_message }}
{{- "<|eot_id|>" }}
{%- for message in messages %}
    {%- if not (message.role == 'ipython' or message.role == 'tool' or 'tool_calls' in message) %}
        {{- '<|start_header_id|>' + message['role'] + '<|end_header_id|>\\n\\n' }}
        {%- if message['content'] is string %}
            {{- message['content'] | trim }}
        {%- else %}
            {%- for content in message['content'] %}
                {%- if content['type'] == 'image' %}
                    {{- '<|image|>' }}
                {%- elif content['type'] == 'text' %}
                    {{- content['text'] }}
                {%- endif %}
            {%- endfor %}
        {%- endif %}
        {{- '<|eot_id|>' }}
    {%- elif 'tool_calls' in message %}
        {%- set tool_call = message.tool_calls[0].function %}
        {{- '<|start_header_id|>assistant<|end_header_id|>\\n\\n' -}}
        {{- '{"name": "' + tool_call.name + '", ' }}
        {{- '"parameters": ' }}
        {{- tool_call.arguments | tojson }}
        {{- "}" }}
        {{- "<|eot_id|>" }}
    {%- elif message.role == "tool" or message.role == "ipython" %}
        {{- "<|start_header_id|>ipython<|end_header_id|>\\n\\n" }}
        {%- if message.content is mapping or message.content is iterable %}
            {{- message.content | tojson }}
        {%- else %}
            {{- message.content }}
        {%- endif %}
        {{- "<|eot_id|>" }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}
{%- endif %}
"""

MISTRAL = """{%- if messages[0]["role"] == "system" %}
    {%- set system_message = messages[0]["content"] %}
    {%- set loop_messages = messages[1:] %}
{%- else %}
    {%- set loop_messages = messages %}
{%- endif %}
{%- set user_messages = loop_messages | selectattr("role", "equalto", "user") | list %}
{%- set ns = namespace() %}
{%- set ns.index = 0 %}
{%- for message in loop_messages %}
    {%- if not (message.role == "tool" or (message.tool_calls is defined and message.tool_calls is not none)) %}
        {%- if (message["role"] == "user") != (ns.index % 2 == 0) %}
            {{- raise_exception("After the optional system message, conversation roles must alternate user/assistant/user/assistant/...") }}
        {%- endif %}
        {%- set ns.index = ns.index + 1 %}
    {%- endif %}
{%- endfor %}
{{- bos_token }}
{%- for message in loop_messages %}
    {%- if message["role"] == "user" %}
        {%- if loop.last and system_message is defined %}
            {{- "[INST] " + system_message + "\\n\\n" + message["content"] + "[/INST]" }}
        {%- else %}
            {{- "[INST] " + message["content"] + "[/INST]" }}
        {%- endif %}
    {%- elif message["role"] == "assistant" %}
        {{- " " + message["content"]|trim + eos_token}}
    {%- else %}
        {{- raise_exception("Only user and assistant roles are supported, with the exception of an initial optional system message!") }}
    {%- endif %}
{%- endfor %}
"""

PHI = """{% for message in messages %}{% if message['role'] == 'system' and message['content'] %}{{'<|system|>\\n' + message['content'] + '<|end|>\\n'}}{% elif message['role'] == 'user' %}{{'<|user|>\\n' + message['content'] + '<|end|>\\n'}}{% elif message['role'] == 'assistant' %}{{'<|assistant|>\\n' + message['content'] + '<|end|>\\n'}}{% endif %}{% endfor %}{% if add_generation_prompt %}{{ '<|assistant|>\\n' }}{% else %}{{ eos_token }}{% endif %}"""

ZEPHYR = """{% for message in messages %}
{% if message['role'] == 'user' %}
{{ '<|user|>\\n' + message['content'] + eos_token }}
{% elif message['role'] == 'system' %}
{{ '<|system|>\\n' + message['content'] + eos_token }}
{% elif message['role'] == 'assistant' %}
{{ '<|assistant|>\\n'  + message['content'] + eos_token }}
{% endif %}
{% if loop.last and add_generation_prompt %}
{{ '<|assistant|>' }}
{% endif %}
{% endfor %}"""

QWEN3 = """{%- set ns = namespace(multi_step_tool=true, last_query_index=messages|length - 1) %}
{%- for message in messages[::-1] %}
    {%- set index = (messages|length - 1) - loop.index0 %}
    {%- if ns.multi_step_tool and message.role == "user" and message.content is string and not(message.content.startswith('<tool_response>') and message.content.endswith('</tool_response>')) %}
        {%- set ns.multi_step_tool = false %}
        {%- set ns.last_query_index = index %}
    {%- endif %}
{%- endfor %}
{%- for message in messages %}
    {%- if message.content is string %}
        {%- set content = message.content %}
    {%- else %}
        {%- set content = '' %}
    {%- endif %}
    {%- if (message.role == "user") or (message.role == "system" and not loop.first) %}
        {{- '<|im_start|>' + message.role + '\\n' + content + '<|im_end|>' + '\\n' }}
    {%- elif message.role == "assistant" %}
        {%- set reasoning_content = '' %}
        {%- if message.reasoning_content is string %}
            {%- set reasoning_content = message.reasoning_content %}
        {%- else %}
            {%- if '</think>' in content %}
                {%- set reasoning_content = content.split('</think>')[0].rstrip('\\n').split('<think>')[-1].lstrip('\\n') %}
                {%- set content = content.split('</think>')[-1].lstrip('\\n') %}
            {%- endif %}
        {%- endif %}
        {%- if loop.index0 > ns.last_query_index %}
            {%- if loop.last or (not loop.last and reasoning_content) %}
                {{- '<|im_start|>' + message.role + '\\n<think>\\n' + reasoning_content.strip('\\n') + '\\n</think>\\n\\n' + content.lstrip('\\n') }}
            {%- else %}
                {{- '<|im_start|>' + message.role + '\\n' + content }}
            {%- endif %}
        {%- else %}
            {{- '<|im_start|>' + message.role + '\\n' + content }}
        {%- endif %}
        {%- if message.tool_calls %}
            {%- for tool_call in message.tool_calls %}
                {%- if (loop.first and content) or (not loop.first) %}{{- '\\n' }}{%- endif %}
                {%- if tool_call.function %}{%- set tool_call = tool_call.function %}{%- endif %}
                {{- '<tool_call>\\n{"name": "' }}
                {{- tool_call.name }}
                {{- '", "arguments": ' }}
                {%- if tool_call.arguments is string %}
                    {{- tool_call.arguments }}
                {%- else %}
                    {{- tool_call.arguments | tojson }}
                {%- endif %}
                {{- '}\\n</tool_call>' }}
            {%- endfor %}
        {%- endif %}
        {{- '<|im_end|>\\n' }}
    {%- elif message.role == "tool" %}
        {%- if loop.first or (messages[loop.index0 - 1].role != "tool") %}{{- '<|im_start|>user' }}{%- endif %}
        {{- '\\n<tool_response>\\n' }}
        {{- content }}
        {{- '\\n</tool_response>' }}
        {%- if loop.last or (messages[loop.index0 + 1].role != "tool") %}{{- '<|im_end|>\\n' }}{%- endif %}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\\n' }}
    {%- if enable_thinking is defined and enable_thinking is false %}
        {{- '<think>\\n\\n</think>\\n\\n' }}
    {%- endif %}
{%- endif %}"""

LLAVA = """{% for message in messages %}{% if message['role'] != 'system' %}{{ message['role'] | upper + ': '}}{% endif %}{# Render all images first #}{% if message['content'] is string %}{{ message['content'] }}{% else %}{% for content in message['content'] | selectattr('type', 'equalto', 'image') %}{{ '<image>\\n' }}{% endfor %}{# Render all text next #}{% if message['role'] != 'assistant' %}{% for content in message['content'] | selectattr('type', 'equalto', 'text') %}{{ content['text'] + ' '}}{% endfor %}{% else %}{% for content in message['content'] | selectattr('type', 'equalto', 'text') %}{% generation %}{{ content['text'] + ' '}}{% endgeneration %}{% endfor %}{% endif %}{% endif %}{% endfor %}{% if add_generation_prompt %}{{ 'ASSISTANT:' }}{% endif %}"""

SMOLVLM = """<|im_start|>{% for message in messages %}{{message['role'] | capitalize}}{% if message['content'] is not string and message['content'][0]['type'] == 'image' %}{{':'}}{% else %}{{': '}}{% endif %}{% if message['content'] is string %}{{ message['content'] }}{% else %}{% for line in message['content'] %}{% if line['type'] == 'text' %}{{line['text']}}{% elif line['type'] == 'image' %}{{ '<image>' }}{% endif %}{% endfor %}{% endif %}<end_of_utterance>
{% endfor %}{% if add_generation_prompt %}{{ 'Assistant:' }}{% endif %}"""

VICUNA = """{% set counter = namespace(images=0) %}
{% for message in messages -%}
    {% set text = message.content if message.content is string else message.content | map(attribute='text', default='<image>') | join('\\n') %}
    {% if message.role == 'assistant' and loop.previtem is defined and loop.previtem.role == 'assistant' %}{% continue %}{% endif %}
    {%+ if loop.index > 6 %}{% break %}{% endif %}
    {{ (message.role | title ~ ': ' ~ text ~ ' [' ~ loop.index ~ '/' ~ loop.length ~ ']') | replace('  ', ' ') }}
{% endfor %}
{{- 'Assistant:' if add_generation_prompt }}"""

TEMPLATES = {name.lower(): value for name, value in list(globals().items()) if name.isupper() and isinstance(value, str)}

IMAGE = {"type": "image"}


def text(value):
    return {"type": "text", "text": value}


MESSAGES = {
    "caption": [{"role": "user", "content": [IMAGE, text("caption en")]}],
    "plain": [{"role": "user", "content": "  what is the cat doing?\n"}],
    "turns": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello <b> & \"you\"! "},
              {"role": "user", "content": "Größe? 你好 \U0001f600"}],
    "system": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "detect cat ; dog"}],
    "openai": [{"role": "user", "name": None, "content": [
        text(" two pictures: "), {"type": "image_url", "image_url": {"url": "file.png"}}, IMAGE, text("differ?")]}],
    "thought": [{"role": "user", "content": "2+2"},
                {"role": "assistant", "content": "<think>\nadd\n</think>\n\n4", "tool_calls": None},
                {"role": "user", "content": "3+3"}, {"role": "assistant", "content": "6", "thinking": "easy"}],
    "tools": [{"role": "user", "content": "weather?"},
              {"role": "assistant", "content": "", "tool_calls": [{"type": "function", "function": {
                  "name": "get", "arguments": {"place": "Köln", "days": 2, "hot": False, "rate": 0.5, "x": None}}}]},
              {"role": "tool", "content": "{\"t\": 3}"}, {"role": "assistant", "content": "3 degrees"}],
    "twice": [{"role": "assistant", "content": "a"}, {"role": "assistant", "content": "b"}],
    "empty_text": [{"role": "user", "content": ""}],
}

# Pieces of the language, each rendered with the message list "turns".
LANGUAGE = [
    "a\n  {% if true %}\n  b\n  {% endif %}\nc\n", "a\n  {%- if true -%}\n  b\n  {%- endif -%}\nc\n",
    "  {{ 1 }}\n  {# gone #}\n  {#- gone -#}  x", "{%+ if true +%}\n x{% endif %}", "x {%- if true %} y {%+ endif %} z",
    "{{- ' a ' -}}   b", "a\r\nb\rc{{ 1 }}\r\n", "end\n\n", "{% set x = 1 %}\n\n{{ x }}", " \t{% if 1 %}x{% endif %}\t {# c #}\n",
    "{{ 1 }}\n{{ 2 }}\n", "\u00a0{%- if true %}\u2003x{% endif -%}\u3000y",
    "{{ 'a' 'b' }}{{ \"q\\\"\\n\\t\\\\\\x41\\u00e9\\q\" }}", "{{ 'it''s' }}", "{{ [1, 'a', none, true, 1.5, {'k': \"it's\"}, (1,)] }}",
    "{{ 1.0 / 3 }} {{ 7 // 2 }} {{ -7 % 3 }} {{ -7 // 2 }} {{ 2 ** 10 }} {{ 10 / 2 }} {{ 7.5 // 2 }} {{ -7.5 % 2 }}",
    "{{ 1 + 2 * 3 - 4 }} {{ (1 + 2) * 3 }} {{ 'a' ~ 1 ~ none ~ 1.0 }} {{ 'ab' * 3 }} {{ [1] + [2] }} {{ -2 ** 2 }}",
    "{{ 0.1 + 0.2 }} {{ 100000.0 * 100000000000.0 }} {{ 1 / 3000000 }} {{ 123456789.125 }}",
    "{{ 1 < 2 < 3 }} {{ 1 < 2 > 5 }} {{ 'a' < 'b' }} {{ 1 == 1.0 }} {{ true == 1 }} {{ 'a' == 1 }} {{ [1] == [1.0] }}",
    "{{ 1 in [1, 2] }} {{ 'el' in 'hello' }} {{ 'x' not in {'x': 1} }} {{ not 1 in [2] }} {{ none in [none] }}",
    "{{ true and 0 }} {{ 0 or 'x' }} {{ not '' }} {{ (none or missing or 'd') }} {{ 1 and 2 }} {{ '' or 0 }}",
    "{{ 'a' if true else 'b' }} {{ 'a' if false }} {{ 'a' if false else 'b' if false else 'c' }}",
    "{{ missing }}|{{ missing is defined }}|{{ missing | default('z') }}|{{ messages is defined }}|{{ tools is none }}",
    "{{ none | default('q') }} {{ '' | default('q', true) }} {{ '' | d('r', boolean=true) }}",
    "{{ 'abc'[0] }}{{ 'abc'[-1] }}{{ 'abc'[1:] }}{{ 'abc'[:-1] }}{{ 'abc'[::-1] }}{{ 'äöü'[1:] }}{{ [1,2,3,4][::2] }}",
    "{{ [1,2,3][5] is defined }}{{ messages[0].nothing is defined }}{{ messages[9] is defined }}{{ 'abc'.x is defined }}",
    "{{ [1,2,3][-2:] }}{{ [1,2,3][5:] }}{{ [1,2,3][2:0:-1] }}{{ 'abc'[10:] }}{{ (1,2,3)[1:] }}{{ messages.0.role }}",
    "{{ ' a  b '.split() }}{{ 'a,b,,c'.split(',') }}{{ 'a-b-c'.split('-', 1) }}{{ ''.split(',') }}{{ ''.split() }}",
    "{{ 'aXbX'.replace('X', '--') }}{{ 'aaa' | replace('a', 'b', 2) }}{{ ' x '.strip() }}|{{ 'xxaxx'.strip('x') }}",
    "{{ 'abc'.startswith('ab') }}{{ 'abc'.endswith(('x', 'bc')) }}{{ 'aBc'.upper() }}{{ 'aBc' | lower }}{{ 'ab cd'.title() }}",
    "{{ 'hELLO wORLD' | capitalize }}{{ 'hello' | length }}{{ 'größe' | length }}{{ [1, 2] | length }}{{ {'a': 1} | count }}",
    "{{ ['a', 1, none] | join('-') }}{{ [] | join }}{{ 'abc' | join('.') }}{{ messages | join(',', attribute='role') }}",
    "{{ {'a': [1, 2.5], 'b': none, 'c': 'é\n<\"'} | tojson }} {{ {'a': [1, {}], 'd': []} | tojson(indent=2) }}",
    "{{ {'b': 1, 'a': true} | tojson(sort_keys=true) }}{{ 'é\U0001f600' | tojson(ensure_ascii=true) }}{{ [1, 2] | tojson(separators=(',', ':')) }}",
    "{{ 5 | string + 'x' }}{{ none | string }}{{ [3, 1] | first }}{{ 'ab' | last }}{{ [] | first is defined }}",
    "{{ {'a': 1, 'b': 2}.items() | list }}{{ {'a': 1}.keys() | list }}{{ {'a': 1}.get('b', 5) }}{{ {'a': 1}.get('a') }}",
    "{% for k, v in {'a': 1, 'b': 2}.items() %}{{ k }}={{ v }};{% endfor %}{% for k in {'x': 1} %}{{ k }}{% endfor %}",
    "{% for x in [1, 2, 3, 4] if x is even %}{{ loop.index }}:{{ x }}/{{ loop.length }} {% else %}none{% endfor %}",
    "{% for x in [] %}{% else %}empty{% endfor %}{% for c in 'añb' %}{{ c }}.{% endfor %}",
    "{% for x in [1,2,3] %}{{ loop.index0 }}{{ loop.first }}{{ loop.last }}{{ loop.revindex }}{{ loop.previtem }}{{ loop.nextitem }};{% endfor %}",
    "{% for a in [1,2] %}{% for b in [3,4] %}{{ loop.index }}{{ loop.depth }}{% endfor %}{{ loop.index }}{% endfor %}",
    "{% for x in range(10) %}{% if x == 2 %}{% continue %}{% endif %}{% if x > 4 %}{% break %}{% endif %}{{ x }}{% endfor %}",
    "{% for i in [1,2] %}[{{ x }}]{% set x = i %}({{ x }}){% endfor %}", "{% set x = 9 %}{% for i in [1,2] %}[{{ x }}]{% set x = i %}({{ x }}){% endfor %}{{ x }}",
    "{% set ns = namespace(n=0, s='') %}{% for i in range(1, 10, 3) %}{% set ns.n = ns.n + i %}{% set ns.s = ns.s ~ i %}{% endfor %}{{ ns.n }}{{ ns.s }}",
    "{% set a, b = 1, 'z' %}{{ a }}{{ b }}{% set t = 1, 2 %}{{ t }}{% set x %}a{{ 1 }}b{% endset %}{{ x | length }}{{ x }}",
    "{% if missing %}a{% elif 0 %}b{% elif messages %}c{% else %}d{% endif %}{% if not missing %}e{% endif %}",
    "{{ 1 is number }}{{ true is number }}{{ 'a' is string }}{{ {} is mapping }}{{ [] is iterable }}{{ none is none }}{{ 3 is odd }}",
    "{{ 4 is divisibleby(2) }}{{ 4 is divisibleby 3 }}{{ 1 is integer }}{{ true is integer }}{{ 1.0 is float }}{{ true is boolean }}{{ 'a' is in ['a'] }}",
    "{{ 'a' is sequence }}{{ none is iterable }}{{ 1 is eq 1 }}{{ 1 is not defined }}{{ 2 is gt(1) }}{{ messages is not string }}",
    "{{ messages | selectattr('role', '==', 'user') | list | length }}{{ messages | rejectattr('role', 'equalto', 'user') | map(attribute='content') | first }}",
    "{{ [1, 0, 2] | select | list }}{{ ['a', 'B'] | map('upper') | list }}{{ [1, 2, 3] | reject('even') | list }}{{ [3, 4] | reverse | list }}",
    "{{ dict(a=1, b='x') }}{{ {'a': 1} | items | list }}{{ -3 | abs }}{{ '42' | int + 1 }}{{ 3.9 | int }}{{ ' x' | trim | safe }}",
    "{{ 'a\tb\\c\x7f' | string }}{{ ['a\tb', 'é', \"'\", '\"\\'', '\\\\'] }}", "{{ bos_token }}{{ eos_token }}{{ pad_token }}{{ unk_token }}{{ image_token }}{{ mask_token }}",
    "{{ messages[-1]['content'] }}{{ messages[-1].content | tojson }}{{ messages[0] }}", "{{ 'x'.find('y') }}{{ 'äxy'.find('y') }}{{ 'aaa'.count('a') }}{{ 'abc'.removeprefix('a').removesuffix('c') }}{{ ', '.join(['a', 'b']) }}",
    "{% generation %}in{% endgeneration %}{{ [messages[0].role, messages | length] | join(' ') }}", "{{ [1, 2,] }}{{ {'a': 1,} }}{{ (1, 2,) }}{{ [] }}{{ {} }}{{ () }}",
    "{{ ('a', 'b') is sequence }}{{ namespace(x=1).x }}{{ 'a' ~ missing ~ 'b' }}{{ +5 }}{{ - 5 }}{{ not not 1 }}",
    "{{ {'a': {'b': [{'c': 'deep'}]}}.a.b[0]['c'] }}{{ {1: 'one', true: 'yes'} }}{{ {'items2': 1}['items2'] }}",
]

# Templates that fail in Jinja, in Transformers' sandbox, or by raise_exception.
FAILING = [
    "{{ raise_exception('no ' ~ messages[0].role) }}", "{% if true %}", "{% endif %}", "{{ 1", "{{ 'a }}", "{{ 1 + }}",
    "{{ missing.x }}", "{{ missing['x'] }}", "{{ missing() }}", "{{ 'a' + 1 }}", "{{ 1 / 0 }}", "{{ 1 % 0 }}", "{# a",
    "{% for x in 5 %}{% endfor %}", "{% for a, b in [[1, 2, 3]] %}{% endfor %}", "{% set x.y = 1 %}", "{{ ) }}",
    "{{ [1, 2 }}", "{{ 'a' < 1 }}", "{{ none | length }}", "{{ 5() }}", "{{ 1 in 5 }}", "{% break %}", "{{ 'a'.split('') }}",
    "{{ missing | tojson }}", "{% else %}", "{% for %}{% endfor %}", "{% set = 1 %}", "{{ a b }}", "{{ 'x' | }}", "{{ [1][0:2:0] }}",
    "{{ missing + 1 }}", "{{ 1 in 'a' }}", "{{ messages[0].content.x.y }}", "{{ $ }}", "{{ 'abc'.join([1]) }}",
]
