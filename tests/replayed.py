"""Requests in the vendors' own shapes, as their documentation has them, and how callers give them to hb.

A `Native` is the body of one request; `given` are the messages and arguments that a caller makes of it, with each
message, part and tool as it is. What comes out at the other end is to be the same body, but for `differs`, of which
the report tells under the names in `told`.
"""

# fmt: off
# ruff: noqa: E501

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

Given = tuple[list[Any], dict[str, Any]]


@dataclass(eq=False)
class Native:
    """One request: `differs` are the places at which the body is another one, `told` what the report says of them."""

    name: str
    provider: str
    model: str
    body: dict[str, Any]
    stream: bool = False
    options: Mapping[str, Any] = field(default_factory=dict)
    differs: frozenset[str] = frozenset()
    told: tuple[str, ...] = ()

    def given(self) -> Given:
        """The messages and arguments that a caller passes."""
        body = {name: value for name, value in deepcopy(self.body).items() if name not in ("model", "stream")}
        if self.options.get("gateway") == "responses":
            return _of_responses(body)
        return _SHAPES.get(self.provider, _of_chat)(body)


def _of_chat(body: dict[str, Any]) -> Given:
    return body.pop("messages"), body


def _of_anthropic(body: dict[str, Any]) -> Given:
    messages, system = body.pop("messages"), body.pop("system", None)
    return ([{"role": "system", "content": system}, *messages] if system is not None else messages), body


def _of_gemini(body: dict[str, Any]) -> Given:
    system = body.pop("systemInstruction", None)
    messages = [{"role": "system", "content": system["parts"]}] if system else []
    for turn in body.pop("contents"):
        role = turn.get("role", "user")
        messages.append({"role": "assistant" if role == "model" else role, "content": turn["parts"]})
    return messages, body


def _of_bedrock(body: dict[str, Any]) -> Given:
    system, tools, limits = (body.pop(name, None) or {} for name in ("system", "toolConfig", "inferenceConfig"))
    names = {"maxTokens": "max_tokens", "temperature": "temperature", "topP": "top_p", "stopSequences": "stop"}
    body.update({names[name]: value for name, value in limits.items()})
    body.update({{"tools": "tools", "toolChoice": "tool_choice"}[name]: value for name, value in tools.items()})
    messages = body.pop("messages")
    return ([{"role": "system", "content": system}, *messages] if system else messages), body


def _of_responses(body: dict[str, Any]) -> Given:
    if "include" in body:
        body["wire_include"] = body.pop("include")
    items = body.pop("input")
    return [{"role": "user", "content": items}] if isinstance(items, str) else items, body


_SHAPES: dict[str, Callable[[dict[str, Any]], Given]] = {
    "anthropic": _of_anthropic, "bedrock": _of_bedrock, "gemini": _of_gemini, "vertex": _of_gemini,
}


def differences(asked: Any, sent: Any, path: str = "") -> Iterator[str]:
    """The places at which a body is another one than was asked for."""
    if isinstance(asked, dict) and isinstance(sent, dict):
        for name in sorted(asked.keys() | sent.keys()):
            if name not in asked or name not in sent:
                yield f"{path}.{name}"
            else:
                yield from differences(asked[name], sent[name], f"{path}.{name}")
    elif isinstance(asked, list) and isinstance(sent, list) and len(asked) == len(sent):
        for place, (one, other) in enumerate(zip(asked, sent, strict=True)):
            yield from differences(one, other, f"{path}[{place}]")
    elif asked != sent:
        yield path


REQUESTS: list[Native] = []


def v(name: str, provider: str, model: str, body: dict[str, Any], stream: bool = False, **options: Any) -> None:
    REQUESTS.append(Native(name, provider, model, body, stream, options))


PNG="iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
PDF="JVBERi0xLjQKJSVFT0YK"
U={"role":"user","content":"hi"}
FN={"type":"function","function":{"name":"w","description":"d","parameters":{"type":"object","properties":{"c":{"type":"string"}},"required":["c"],"additionalProperties":False},"strict":True}}
ACALL={"role":"assistant","content":"x","tool_calls":[{"id":"call_abc","type":"function","function":{"name":"w","arguments":"{\"c\": \"K\"}"}}]}
# OpenAI chat
M="gpt-4o-mini"
def oc(name,msgs=None,model=M,**p): v("openai:"+name,"openai",model,{"model":model,"messages":msgs or [U],**p})
oc("logprobs",logprobs=True,top_logprobs=5,n=2,seed=3,logit_bias={"50256":-100},user="u",presence_penalty=0.1,frequency_penalty=0.2,temperature=0.3,top_p=0.9,max_tokens=10,stop=["a","b"])
oc("stop-str",stop="END")
oc("json_schema",response_format={"type":"json_schema","json_schema":{"name":"x","strict":True,"schema":{"type":"object","properties":{"a":{"type":"integer"}},"required":["a"],"additionalProperties":False}}})
oc("json_object",response_format={"type":"json_object"})
oc("text",response_format={"type":"text"})
oc("tools",tools=[FN],tool_choice="required",parallel_tool_calls=False)
oc("tools-named",tools=[FN],tool_choice={"type":"function","function":{"name":"w"}})
oc("tools-allowed",tools=[FN],tool_choice={"type":"allowed_tools","allowed_tools":{"mode":"auto","tools":[{"type":"function","function":{"name":"w"}}]}})
oc("tool-turn",[U,ACALL,{"role":"tool","tool_call_id":"call_abc","content":"sunny"}],tools=[FN])
oc("tool-turn-parts",[U,{**ACALL,"content":None},{"role":"tool","tool_call_id":"call_abc","content":[{"type":"text","text":"sunny"}]}],tools=[FN])
oc("image-url",[{"role":"user","content":[{"type":"text","text":"?"},{"type":"image_url","image_url":{"url":"https://example.com/a.png","detail":"high"}}]}])
oc("image-b64",[{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/png;base64,"+PNG,"detail":"low"}}]}])
oc("audio",[{"role":"user","content":[{"type":"input_audio","input_audio":{"data":"AAAA","format":"wav"}}]}],model="gpt-audio",modalities=["text","audio"],audio={"voice":"alloy","format":"wav"})
oc("file",[{"role":"user","content":[{"type":"file","file":{"filename":"a.pdf","file_data":"data:application/pdf;base64,"+PDF}}]}])
oc("file-id",[{"role":"user","content":[{"type":"file","file":{"file_id":"file-1"}}]}])
oc("names",[{"role":"system","content":"s","name":"sys"},{"role":"user","content":"hi","name":"bob"},{"role":"assistant","content":"a","name":"al"},U])
oc("developer",[{"role":"developer","content":"s"},U],model="gpt-5",reasoning_effort="low",verbosity="low",max_completion_tokens=99,store=True,metadata={"a":"b"},service_tier="flex",prompt_cache_key="k",safety_identifier="s")
oc("refusal",[U,{"role":"assistant","content":None,"refusal":"no"},U])
oc("refusal-part",[U,{"role":"assistant","content":[{"type":"refusal","refusal":"no"}]},U])
oc("prediction",prediction={"type":"content","content":"abc"},web_search_options={"search_context_size":"low","user_location":{"type":"approximate","approximate":{"country":"GB"}}})
oc("custom",model="gpt-5",tools=[{"type":"custom","custom":{"name":"sh","description":"d","format":{"type":"grammar","grammar":{"syntax":"lark","definition":"x"}}}}],tool_choice={"type":"custom","custom":{"name":"sh"}})
oc("custom-turn",[U,{"role":"assistant","content":None,"tool_calls":[{"id":"c1","type":"custom","custom":{"name":"sh","input":"ls"}}]},{"role":"tool","tool_call_id":"c1","content":"ok"}],model="gpt-5",tools=[{"type":"custom","custom":{"name":"sh"}}])
oc("functions",functions=[{"name":"f","parameters":{"type":"object","properties":{}}}],function_call="auto")
oc("function-role",[U,{"role":"assistant","content":None,"function_call":{"name":"f","arguments":"{}"}},{"role":"function","name":"f","content":"1"}])
oc("audio-ref",[U,{"role":"assistant","audio":{"id":"audio_1"}},U],model="gpt-audio",modalities=["text","audio"],audio={"voice":"alloy","format":"wav"})
oc("prefill",[U,{"role":"assistant","content":"I am"}])
oc("system-parts",[{"role":"system","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]},U])
v("openai:stream","openai",M,{"model":M,"messages":[U],"stream_options":{"include_usage":True,"include_obfuscation":False}},True)
oc("moderation",model="gpt-5",moderation={"model":"omni-moderation-latest"})
oc("empty-tool-content",[U,ACALL,{"role":"tool","tool_call_id":"call_abc","content":""}],tools=[FN])
# Responses
def rs(name,inp,model="gpt-5",**p): v("responses:"+name,"openai",model,{"model":model,"input":inp,**p},gateway="responses")
RU={"role":"user","content":[{"type":"input_text","text":"hi"}]}
rs("text","hi",instructions="be",max_output_tokens=9,reasoning={"effort":"low","summary":"auto"},text={"verbosity":"low","format":{"type":"text"}},include=["reasoning.encrypted_content"],store=False,truncation="auto",metadata={"a":"b"},parallel_tool_calls=True,service_tier="flex",top_logprobs=2,prompt_cache_key="k",safety_identifier="s",max_tool_calls=3,previous_response_id="resp_1")
rs("schema","hi",text={"format":{"type":"json_schema","name":"x","strict":True,"schema":{"type":"object","properties":{"a":{"type":"integer"}},"required":["a"],"additionalProperties":False}}})
rs("tools","hi",tools=[{"type":"function","name":"w","description":"d","parameters":{"type":"object","properties":{}},"strict":False},{"type":"web_search","filters":{"allowed_domains":["a.com"]},"user_location":{"type":"approximate","country":"US"},"search_context_size":"low"},{"type":"file_search","vector_store_ids":["vs_1"],"max_num_results":2},{"type":"code_interpreter","container":{"type":"auto","file_ids":["f"]}},{"type":"image_generation","quality":"low"},{"type":"mcp","server_label":"d","server_url":"https://m.example","require_approval":"never","allowed_tools":["a"],"headers":{"Authorization":"x"}},{"type":"mcp","server_label":"e","connector_id":"connector_x","authorization":"y"},{"type":"custom","name":"sh","format":{"type":"text"}}],tool_choice={"type":"allowed_tools","mode":"auto","tools":[{"type":"function","name":"w"}]})
rs("tool-choice-own","hi",tools=[{"type":"web_search"}],tool_choice={"type":"web_search"})
rs("tool-choice-fn","hi",tools=[{"type":"function","name":"w","parameters":{"type":"object","properties":{}},"strict":False}],tool_choice={"type":"function","name":"w"})
rs("image",[{"role":"user","content":[{"type":"input_text","text":"?"},{"type":"input_image","image_url":"https://example.com/a.png","detail":"high"}]}])
rs("image-b64",[{"role":"user","content":[{"type":"input_image","image_url":"data:image/png;base64,"+PNG,"detail":"auto"}]}])
rs("image-id",[{"role":"user","content":[{"type":"input_image","file_id":"file-1","detail":"auto"}]}])
rs("file",[{"role":"user","content":[{"type":"input_file","filename":"a.pdf","file_data":"data:application/pdf;base64,"+PDF}]}])
rs("file-url",[{"role":"user","content":[{"type":"input_file","file_url":"https://example.com/a.pdf"}]}])
rs("file-id",[{"role":"user","content":[{"type":"input_file","file_id":"file-1"}]}])
rs("turn",[RU,{"type":"function_call","call_id":"c1","name":"w","arguments":"{}"},{"type":"function_call_output","call_id":"c1","output":"ok"}],tools=[{"type":"function","name":"w","parameters":{"type":"object","properties":{}},"strict":False}])
rs("turn-image-result",[RU,{"type":"function_call","call_id":"c1","name":"w","arguments":"{}"},{"type":"function_call_output","call_id":"c1","output":[{"type":"input_text","text":"x"},{"type":"input_image","image_url":"data:image/png;base64,"+PNG,"detail":"auto"}]}],tools=[{"type":"function","name":"w","parameters":{"type":"object","properties":{}},"strict":False}])
rs("items",[{"type":"message",**RU},{"type":"reasoning","id":"rs_1","summary":[],"encrypted_content":"zz"},{"type":"web_search_call","id":"ws_1","status":"completed","action":{"type":"search","query":"q"}},{"type":"message","id":"msg_1","role":"assistant","status":"completed","content":[{"type":"output_text","text":"yo","annotations":[],"logprobs":[]}]},{"type":"item_reference","id":"msg_9"},RU])
rs("assistant",[RU,{"role":"assistant","content":[{"type":"output_text","text":"yo"}]},RU])
rs("conversation","hi",conversation="conv_1",prompt={"id":"p","variables":{"a":"b"}},prompt_cache_retention="24h",user="u",temperature=0.2,top_p=0.3,model="gpt-4.1")
# Anthropic
C="claude-sonnet-4-5"
def an(name,msgs=None,model=C,**p): v("anthropic:"+name,"anthropic",model,{"model":model,"max_tokens":100,"messages":msgs or [U],**p})
an("params",temperature=0.5,top_k=4,stop_sequences=["x"],metadata={"user_id":"u"},service_tier="auto",system="s")
an("top_p",top_p=0.5)
an("system-cache",system=[{"type":"text","text":"s","cache_control":{"type":"ephemeral","ttl":"1h"}}])
an("image",[{"role":"user","content":[{"type":"image","source":{"type":"base64","media_type":"image/png","data":PNG},"cache_control":{"type":"ephemeral"}},{"type":"text","text":"?"}]}])
an("image-url",[{"role":"user","content":[{"type":"image","source":{"type":"url","url":"https://example.com/a.png"}},{"type":"text","text":"?"}]}])
an("image-file",[{"role":"user","content":[{"type":"image","source":{"type":"file","file_id":"file_1"}},{"type":"text","text":"?"}]}])
an("pdf",[{"role":"user","content":[{"type":"document","source":{"type":"base64","media_type":"application/pdf","data":PDF},"title":"t","context":"c","citations":{"enabled":True},"cache_control":{"type":"ephemeral"}},{"type":"text","text":"?"}]}])
an("pdf-url",[{"role":"user","content":[{"type":"document","source":{"type":"url","url":"https://example.com/a.pdf"}},{"type":"text","text":"?"}]}])
an("doc-text",[{"role":"user","content":[{"type":"document","source":{"type":"text","media_type":"text/plain","data":"abc"},"citations":{"enabled":True}},{"type":"text","text":"?"}]}])
an("doc-content",[{"role":"user","content":[{"type":"document","source":{"type":"content","content":[{"type":"text","text":"a"}]},"citations":{"enabled":True}},{"type":"text","text":"?"}]}])
an("search-result",[{"role":"user","content":[{"type":"search_result","source":"https://x","title":"t","content":[{"type":"text","text":"a"}],"citations":{"enabled":True}},{"type":"text","text":"?"}]}])
AT={"name":"w","description":"d","input_schema":{"type":"object","properties":{"c":{"type":"string"}},"required":["c"]}}
an("tools",tools=[{**AT,"cache_control":{"type":"ephemeral"},"strict":True,"input_examples":[{"c":"x"}],"defer_loading":True}],tool_choice={"type":"any","disable_parallel_tool_use":True})
an("tools-custom-type",tools=[{**AT,"type":"custom"}],tool_choice={"type":"tool","name":"w","disable_parallel_tool_use":True})
an("tools-auto",tools=[AT],tool_choice={"type":"auto"})
an("blank-description", tools=[{**AT, "description": ""}])
an("tools-none",tools=[AT],tool_choice={"type":"none"})
an("server-tools",tools=[{"type":"web_search_20250305","name":"web_search","max_uses":3,"allowed_domains":["a.com"],"user_location":{"type":"approximate","country":"US"}},{"type":"web_fetch_20250910","name":"web_fetch","citations":{"enabled":True},"max_content_tokens":100},{"type":"code_execution_20250825","name":"code_execution"},{"type":"bash_20250124","name":"bash"},{"type":"text_editor_20250728","name":"str_replace_based_edit_tool","max_characters":10},{"type":"memory_20250818","name":"memory"},{"type":"tool_search_tool_regex_20251119","name":"tool_search_tool_regex"},{"type":"computer_20250124","name":"computer","display_width_px":100,"display_height_px":100}])
TU={"type":"tool_use","id":"toolu_1","name":"w","input":{"c":"K"}}
an("turn",[U,{"role":"assistant","content":[{"type":"text","text":"x"},TU]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"toolu_1","content":"sunny"}]}],tools=[AT])
an("turn-image",[U,{"role":"assistant","content":[TU]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"toolu_1","content":[{"type":"text","text":"x"},{"type":"image","source":{"type":"base64","media_type":"image/png","data":PNG}}],"is_error":False,"cache_control":{"type":"ephemeral"}},{"type":"text","text":"go"}]}],tools=[AT])
an("turn-error",[U,{"role":"assistant","content":[TU]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"toolu_1","content":"bad","is_error":True}]}],tools=[AT])
an("turn-doc",[U,{"role":"assistant","content":[TU]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"toolu_1","content":[{"type":"document","source":{"type":"text","media_type":"text/plain","data":"abc"}},{"type":"search_result","source":"s","title":"t","content":[{"type":"text","text":"q"}]}]}]}],tools=[AT])
an("thinking",[U,{"role":"assistant","content":[{"type":"thinking","thinking":"hm","signature":"sig"},{"type":"redacted_thinking","data":"zz"},TU]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"toolu_1","content":"sunny"}]}],tools=[AT],thinking={"type":"enabled","budget_tokens":1024},max_tokens=2000)
an("server-turn",[U,{"role":"assistant","content":[{"type":"server_tool_use","id":"srvtoolu_1","name":"web_search","input":{"query":"x"}},{"type":"web_search_tool_result","tool_use_id":"srvtoolu_1","content":[{"type":"web_search_result","url":"https://a","title":"t","encrypted_content":"e","page_age":None}]},{"type":"text","text":"cited","citations":[{"type":"web_search_result_location","url":"https://a","title":"t","encrypted_index":"i","cited_text":"c"}]}]},U],tools=[{"type":"web_search_20250305","name":"web_search"}])
an("code-turn",[U,{"role":"assistant","content":[{"type":"server_tool_use","id":"srvtoolu_1","name":"code_execution","input":{"code":"1"}},{"type":"code_execution_tool_result","tool_use_id":"srvtoolu_1","content":{"type":"code_execution_result","stdout":"1","stderr":"","return_code":0,"content":[]}},{"type":"text","text":"1"}]},{"role":"user","content":[{"type":"container_upload","file_id":"f1"},{"type":"text","text":"go"}]}],tools=[{"type":"code_execution_20250825","name":"code_execution"}],container="c1")
an("mcp",mcp_servers=[{"type":"url","url":"https://m","name":"m","authorization_token":"t"}],tools=[{"type":"mcp_toolset","mcp_server_name":"m"}])
an("mcp-turn",[U,{"role":"assistant","content":[{"type":"mcp_tool_use","id":"mcptoolu_1","name":"e","server_name":"m","input":{}},{"type":"mcp_tool_result","tool_use_id":"mcptoolu_1","is_error":False,"content":[{"type":"text","text":"x"}]},{"type":"text","text":"ok"}]},U])
an("prefill",[U,{"role":"assistant","content":"I am"}],model="claude-3-5-haiku-20241022")
an("context",context_management={"edits":[{"type":"clear_tool_uses_20250919"}]},output_config={"effort":"medium"},model="claude-opus-4-5",inference_geo="us",speed="fast")
an("adaptive",thinking={"type":"adaptive","display":"summarized"},output_config={"effort":"high","format":{"type":"json_schema","schema":{"type":"object","properties":{"a":{"type":"integer"}},"required":["a"],"additionalProperties":False}}},model="claude-opus-4-6")
an("thinking-off",thinking={"type":"disabled"})
an("two-text",[{"role":"user","content":[{"type":"text","text":"a"},{"type":"text","text":"b","cache_control":{"type":"ephemeral"}}]}])
an("consecutive",[U,{"role":"user","content":"again"}])
# Gemini
G="gemini-2.5-flash"
GU={"role":"user","parts":[{"text":"hi"}]}
def ge(name,contents=None,model=G,provider="gemini",**p): v(provider+":"+name,provider,model,{"contents":contents or [GU],**p})
ge("config",generationConfig={"temperature":0.1,"topP":0.2,"topK":3,"maxOutputTokens":9,"stopSequences":["x"],"candidateCount":2,"presencePenalty":0.1,"frequencyPenalty":0.2,"seed":5,"responseLogprobs":True,"logprobs":3,"responseMimeType":"application/json","responseSchema":{"type":"OBJECT","properties":{"a":{"type":"STRING"}}},"thinkingConfig":{"thinkingBudget":0,"includeThoughts":False},"mediaResolution":"MEDIA_RESOLUTION_LOW","responseModalities":["TEXT"],"speechConfig":{"voiceConfig":{"prebuiltVoiceConfig":{"voiceName":"Kore"}}},"enableEnhancedCivicAnswers":True,"responseJsonSchema":{"type":"object"}})
ge("top",safetySettings=[{"category":"HARM_CATEGORY_HARASSMENT","threshold":"BLOCK_NONE"}],cachedContent="cachedContents/x",labels={"a":"b"},systemInstruction={"parts":[{"text":"s"}]},serviceTier="flex")
ge("tools",tools=[{"functionDeclarations":[{"name":"w","description":"d","parameters":{"type":"OBJECT","properties":{"c":{"type":"STRING"}}},"response":{"type":"OBJECT"},"behavior":"BLOCKING"}]},{"googleSearch":{}},{"urlContext":{}},{"codeExecution":{}},{"googleMaps":{"enableWidget":True}},{"fileSearch":{"fileSearchStoreNames":["s"]}}],toolConfig={"functionCallingConfig":{"mode":"ANY","allowedFunctionNames":["w"]},"retrievalConfig":{"latLng":{"latitude":1,"longitude":2},"languageCode":"en"},"includeServerSideToolInvocations":True})
ge("parts",[{"role":"user","parts":[{"inlineData":{"mimeType":"image/png","data":PNG}},{"fileData":{"mimeType":"video/mp4","fileUri":"https://youtu.be/x"},"videoMetadata":{"startOffset":"1s","endOffset":"2s","fps":1}},{"inlineData":{"mimeType":"audio/wav","data":"AAAA"}},{"inlineData":{"mimeType":"application/pdf","data":PDF},"mediaResolution":{"level":"MEDIA_RESOLUTION_LOW"}},{"text":"?"}]}])
ge("turn",[GU,{"role":"model","parts":[{"text":"th","thought":True},{"functionCall":{"name":"w","args":{"c":"K"}},"thoughtSignature":"c2ln"}]},{"role":"user","parts":[{"functionResponse":{"name":"w","response":{"result":"sunny"}}}]}],tools=[{"functionDeclarations":[{"name":"w","parametersJsonSchema":{"type":"object","properties":{"c":{"type":"string"}}}}]}])
ge("turn-id",[GU,{"role":"model","parts":[{"functionCall":{"id":"f1","name":"w","args":{}}}]},{"role":"user","parts":[{"functionResponse":{"id":"f1","name":"w","response":{"output":1,"x":[1]},"parts":[{"inlineData":{"mimeType":"image/png","data":PNG}}]}}]}])
ge("code-turn",[GU,{"role":"model","parts":[{"executableCode":{"language":"PYTHON","code":"1"}},{"codeExecutionResult":{"outcome":"OUTCOME_OK","output":"1"}},{"text":"1"}]},GU],tools=[{"codeExecution":{}}])
ge("snake",[{"role":"user","parts":[{"inline_data":{"mime_type":"image/png","data":PNG}},{"file_data":{"mime_type":"application/pdf","file_uri":"files/x"}}]}])
ge("image",model="gemini-2.5-flash-image",generationConfig={"responseModalities":["TEXT","IMAGE"],"imageConfig":{"aspectRatio":"16:9","imageSize":"2K"}})
ge("vertex",provider="vertex",safetySettings=[{"category":"HARM_CATEGORY_HARASSMENT","threshold":"BLOCK_NONE","method":"SEVERITY"}],labels={"a":"b"},tools=[{"retrieval":{"vertexAiSearch":{"datastore":"x"}}},{"enterpriseWebSearch":{}}],modelArmorConfig={"promptTemplateName":"t"},generationConfig={"routingConfig":{"autoMode":{"modelRoutingPreference":"UNKNOWN"}},"audioTimestamp":True,"labels":{}})
ge("no-role",[{"parts":[{"text":"hi"}]}])
# Bedrock
B="us.anthropic.claude-sonnet-4-5-20250929-v1:0"
BU={"role":"user","content":[{"text":"hi"}]}
def be(name,msgs=None,model=B,**p): v("bedrock:"+name,"bedrock",model,{"messages":msgs or [BU],**p})
be("config",inferenceConfig={"maxTokens":9,"temperature":0.1,"stopSequences":["x"]},system=[{"text":"s"},{"cachePoint":{"type":"default"}}],additionalModelRequestFields={"top_k":3},additionalModelResponseFieldPaths=["/x"],requestMetadata={"a":"b"},performanceConfig={"latency":"optimized"},serviceTier={"type":"flex"},guardrailConfig={"guardrailIdentifier":"g","guardrailVersion":"1","trace":"enabled"},promptVariables={"a":{"text":"b"}})
BT={"toolSpec":{"name":"w","description":"d","inputSchema":{"json":{"type":"object","properties":{}}},"strict":True}}
be("tools",toolConfig={"tools":[BT,{"cachePoint":{"type":"default"}}],"toolChoice":{"any":{}}})
be("tools-named",toolConfig={"tools":[BT],"toolChoice":{"tool":{"name":"w"}}})
be("tools-auto",toolConfig={"tools":[BT],"toolChoice":{"auto":{}}})
BTU={"toolUse":{"toolUseId":"t1","name":"w","input":{"c":"K"}}}
be("turn",[BU,{"role":"assistant","content":[{"text":"x"},BTU]},{"role":"user","content":[{"toolResult":{"toolUseId":"t1","content":[{"text":"sunny"},{"json":{"a":1}},{"image":{"format":"png","source":{"bytes":PNG}}},{"document":{"format":"pdf","name":"n","source":{"bytes":PDF}}}],"status":"success"}}]}],toolConfig={"tools":[BT]})
be("reasoning",[BU,{"role":"assistant","content":[{"reasoningContent":{"reasoningText":{"text":"hm","signature":"s"}}},{"reasoningContent":{"redactedContent":"eno="}},BTU]},{"role":"user","content":[{"toolResult":{"toolUseId":"t1","content":[{"text":"sunny"}]}}]}],toolConfig={"tools":[BT]},inferenceConfig={"maxTokens":2000},additionalModelRequestFields={"thinking":{"type":"enabled","budget_tokens":1024}})
be("parts",[{"role":"user","content":[{"text":"?"},{"image":{"format":"png","source":{"bytes":PNG}}},{"document":{"format":"pdf","name":"d","source":{"bytes":PDF},"context":"c","citations":{"enabled":True}}},{"cachePoint":{"type":"default","ttl":"1h"}},{"guardContent":{"text":{"text":"g","qualifiers":["query"]}}}]}])
be("s3",[{"role":"user","content":[{"text":"?"},{"image":{"format":"png","source":{"s3Location":{"uri":"s3://b/k","bucketOwner":"1"}}}},{"video":{"format":"mp4","source":{"s3Location":{"uri":"s3://b/v"}}}}]}],model="us.amazon.nova-lite-v1:0")
be("search",[{"role":"user","content":[{"searchResult":{"source":"s","title":"t","content":[{"text":"x"}],"citations":{"enabled":True}}},{"text":"?"}]}])
be("cited-turn",[BU,{"role":"assistant","content":[{"citationsContent":{"content":[{"text":"x"}],"citations":[{"title":"t","sourceContent":[{"text":"q"}],"location":{"documentChar":{"documentIndex":0,"start":0,"end":1}}}]}}]},BU])
be("output",outputConfig={"textFormat":{"type":"json_schema","structure":{"jsonSchema":{"schema":"{}","name":"x"}}}})
be("system-tool",toolConfig={"tools":[{"systemTool":{"name":"nova_grounding"}}]},model="us.amazon.nova-premier-v1:0")
# Cohere
CO="command-a-03-2025"
def co(name,msgs=None,model=CO,**p): v("cohere:"+name,"cohere",model,{"model":model,"messages":msgs or [U],**p})
co("params",temperature=0.1,p=0.5,k=3,seed=4,max_tokens=5,stop_sequences=["x"],frequency_penalty=0.1,presence_penalty=0.2,safety_mode="STRICT",logprobs=True,priority=1)
co("documents",documents=[{"id":"d","data":{"text":"x"}},"plain"],citation_options={"mode":"FAST"})
co("tools",tools=[FN],tool_choice="NONE",strict_tools=True)
co("turn",[U,{"role":"assistant","tool_plan":"plan","tool_calls":[{"id":"c1","type":"function","function":{"name":"w","arguments":"{}"}}]},{"role":"tool","tool_call_id":"c1","content":[{"type":"document","document":{"id":"1","data":"{\"a\":1}"}}]}],tools=[FN])
co("schema",response_format={"type":"json_object","json_schema":{"type":"object","properties":{"a":{"type":"string"}},"required":["a"]}})
co("schema2",response_format={"type":"json_object","schema":{"type":"object","properties":{"a":{"type":"string"}},"required":["a"]}})
co("image",[{"role":"user","content":[{"type":"text","text":"?"},{"type":"image_url","image_url":{"url":"data:image/png;base64,"+PNG,"detail":"low"}}]}],model="command-a-vision-07-2025")
co("thinking",model="command-a-reasoning-08-2025",thinking={"type":"enabled","token_budget":100})
co("thinking-turn",[U,{"role":"assistant","content":[{"type":"thinking","thinking":"hm"},{"type":"text","text":"x"}]},U],model="command-a-reasoning-08-2025")
co("cited-turn",[U,{"role":"assistant","content":"x","citations":[{"start":0,"end":1,"text":"x","sources":[{"type":"document","id":"d","document":{"id":"d"}}]}]},U])
# Mistral
MI="mistral-small-latest"
def mi(name,msgs=None,model=MI,**p): v("mistral:"+name,"mistral",model,{"model":model,"messages":msgs or [U],**p})
mi("params",temperature=0.1,top_p=0.5,max_tokens=5,stop=["x"],random_seed=4,presence_penalty=0.1,frequency_penalty=0.2,n=2,safe_prompt=True,prompt_mode="reasoning",metadata={"a":"b"},prediction={"type":"content","content":"x"},guardrails=[{"block_on_error":True}],logprobs=True,top_logprobs=2,prompt_cache_key="k",service_tier="x",reasoning_effort="high")
mi("tools",tools=[FN],tool_choice="any",parallel_tool_calls=False)
mi("tools-named",tools=[FN],tool_choice={"type":"function","function":{"name":"w"}})
mi("turn",[U,{"role":"assistant","content":"","tool_calls":[{"id":"abcdefghi","type":"function","function":{"name":"w","arguments":"{}"}}]},{"role":"tool","tool_call_id":"abcdefghi","name":"w","content":"x"}],tools=[FN])
mi("parts",[{"role":"user","content":[{"type":"text","text":"?"},{"type":"image_url","image_url":{"url":"https://example.com/a.png","detail":"low"}},{"type":"image_url","image_url":"https://example.com/a.png"},{"type":"document_url","document_url":"https://example.com/a.pdf","document_name":"n"},{"type":"input_audio","input_audio":"AAAA"},{"type":"file","file_id":"f"}]}])
mi("thinking",[U,{"role":"assistant","content":[{"type":"thinking","thinking":[{"type":"text","text":"hm"}],"closed":True},{"type":"text","text":"x"}]},U],model="magistral-medium-latest")
mi("reference",[U,{"role":"assistant","content":[{"type":"text","text":"x"},{"type":"reference","reference_ids":[1]}]},U])
mi("prefix",[U,{"role":"assistant","content":"I am","prefix":True}])
mi("schema",response_format={"type":"json_schema","json_schema":{"name":"x","schema":{"type":"object","properties":{"a":{"type":"string"}},"required":["a"],"additionalProperties":False},"strict":True}})
mi("connectors",tools=[{"type":"web_search"},{"type":"connector","connector_id":"x"}])
# Ollama
def ol(name,msgs=None,model="qwen3",**p): v("ollama:"+name,"ollama",model,{"model":model,"messages":msgs or [U],**p})
ol("options",options={"temperature":0.1,"num_ctx":100,"stop":["x"],"num_predict":5},keep_alive="5m",format="json",think=True)
ol("think-step",model="gpt-oss:20b",think="low")
ol("schema",format={"type":"object","properties":{"a":{"type":"string"}}})
ol("image",[{"role":"user","content":"?","images":[PNG]}],model="qwen3-vl")
ol("turn",[U,{"role":"assistant","content":"","thinking":"hm","tool_calls":[{"function":{"name":"w","arguments":{"c":"K"}}}]},{"role":"tool","tool_name":"w","content":"x"}],tools=[FN])
ol("logprobs",logprobs=True,top_logprobs=2,truncate=True,shift=False)
# OpenAI compatible
def cc(name,prov,model,msgs=None,**p): v(prov+":"+name,prov,model,{"model":model,"messages":msgs or [U],**p})
cc("router","openrouter","anthropic/claude-sonnet-4.5",provider={"order":["x"],"allow_fallbacks":False},transforms=["middle-out"],models=["a","b"],route="fallback",reasoning={"effort":"high","exclude":False},plugins=[{"id":"web","max_results":3}],usage={"include":True},user="u",top_k=3,min_p=0.1,top_a=0.2,repetition_penalty=1.1,verbosity="low",session_id="s",trace={"a":"b"})
cc("cache","openrouter","anthropic/claude-sonnet-4.5",[{"role":"system","content":[{"type":"text","text":"s","cache_control":{"type":"ephemeral"}}]},{"role":"user","content":[{"type":"text","text":"x"},{"type":"image_url","image_url":{"url":"https://example.com/a.png"}},{"type":"file","file":{"filename":"a.pdf","file_data":"https://example.com/a.pdf"}},{"type":"input_audio","input_audio":{"data":"AAAA","format":"wav"}},{"type":"video_url","video_url":{"url":"https://example.com/a.mp4"}}]}])
cc("reasoning-turn","openrouter","anthropic/claude-sonnet-4.5",[U,{"role":"assistant","content":"x","reasoning":"hm","reasoning_details":[{"type":"reasoning.text","text":"hm","signature":"s","format":"anthropic-claude-v1","index":0}],"tool_calls":ACALL["tool_calls"]},{"role":"tool","tool_call_id":"call_abc","content":"ok"}],tools=[FN])
cc("annot","openrouter","openai/gpt-4o",[U,{"role":"assistant","content":"x","annotations":[{"type":"file","file":{"hash":"h","name":"n","content":[]}}]},U])
cc("groq","groq","openai/gpt-oss-120b",reasoning_effort="low",reasoning_format="parsed",include_reasoning=True,service_tier="on_demand",max_completion_tokens=5,documents=[{"source":{"type":"text","text":"x"}}],citation_options="enabled",search_settings={"country":"us"},exclude_domains=["x"],disable_tool_validation=True)
cc("groq-tools","groq","openai/gpt-oss-120b",tools=[{"type":"browser_search"},{"type":"code_interpreter"}],tool_choice="required")
cc("groq-compound","groq","groq/compound",compound_custom={"tools":{"enabled_tools":["web_search"]}})
cc("xai","grok","grok-4.5",search_parameters={"mode":"on","sources":[{"type":"web"}]},deferred=False,reasoning_effort="low")
cc("deepseek","deepseek","deepseek-chat",[U,{"role":"assistant","content":"I","prefix":True}])
cc("deepseek-turn","deepseek","deepseek-reasoner",[U,{"role":"assistant","content":"","reasoning_content":"hm","tool_calls":ACALL["tool_calls"]},{"role":"tool","tool_call_id":"call_abc","content":"ok"}],tools=[FN],thinking={"type":"enabled"})
cc("azure","azure","gpt-4o",data_sources=[{"type":"azure_search","parameters":{"endpoint":"e","index_name":"i","authentication":{"type":"api_key","key":"k"}}}],user_security_context={"application_name":"x"},max_tokens=5)
cc("zai","zai","glm-4.7",thinking={"type":"enabled","clear_thinking":False},do_sample=True,request_id="r",user_id="u1234567",tools=[{"type":"web_search","web_search":{"enable":True,"search_engine":"x"}}])
cc("dashscope","dashscope","qwen-plus",enable_thinking=True,thinking_budget=5,enable_search=True,search_options={"forced_search":True})
cc("moonshot","moonshot","kimi-k2-0905-preview",[U,{"role":"assistant","content":"I","partial":True,"name":"k"}],tools=[{"type":"builtin_function","function":{"name":"$web_search"}}])
cc("minimax","minimax","MiniMax-M2",reasoning_split=True,mask_sensitive_info=True)
cc("vllm","vllm","m",guided_json={"type":"object"},top_k=3,min_p=0.1,repetition_penalty=1.1,chat_template_kwargs={"enable_thinking":False},structured_outputs={"json":{}},skip_special_tokens=False,min_tokens=1,stop_token_ids=[1],ignore_eos=True,prompt_logprobs=1,best_of=2,use_beam_search=False,length_penalty=1.0,add_generation_prompt=True,continue_final_message=False,documents=[{"text":"x"}],return_token_ids=True,cache_salt="s")

# What people's programs send beside
T2={"type":"function","function":{"name":"w"}}
T3={"type":"function","function":{"name":"w","parameters":{}}}
REFS={"type":"object","properties":{"a":{"$ref":"#/$defs/A"},"b":{"anyOf":[{"type":"string"},{"type":"null"}],"default":None},"e":{"enum":["x",1]},"n":{"type":"integer","minimum":1,"maximum":5},"l":{"type":"array","items":{"type":"number"},"minItems":1},"d":{"type":"object","additionalProperties":{"type":"string"}},"t":{"type":"string","format":"date-time","pattern":"^a"}},"required":["a"],"$defs":{"A":{"type":"object","title":"A","properties":{"x":{"type":"string","description":"d"}},"required":["x"]}},"title":"T"}
FR={"type":"function","function":{"name":"w","description":"d","parameters":REFS}}
oc("sdk-dump",[U,{"role":"assistant","content":"x","refusal":None,"annotations":[],"audio":None,"function_call":None,"tool_calls":None},U])
oc("tool-name",[U,ACALL,{"role":"tool","name":"w","tool_call_id":"call_abc","content":"s"}],tools=[T2])
oc("tool-empty-params",tools=[T3])
oc("tool-refs",tools=[FR])
oc("schema-open",response_format={"type":"json_schema","json_schema":{"name":"x","description":"d","strict":False,"schema":REFS}})
oc("schema-refs-strict",response_format={"type":"json_schema","json_schema":{"name":"x","strict":True,"schema":{**REFS,"additionalProperties":False}}})
oc("assistant-empty",[U,{"role":"assistant","content":""},U])
oc("tool-calls-nulls",[U,{"role":"assistant","content":None,"tool_calls":[{"id":"c1","type":"function","function":{"name":"w","arguments":""}}]},{"role":"tool","tool_call_id":"c1","content":"1"}],tools=[T2])
oc("bad-args",[U,{"role":"assistant","content":None,"tool_calls":[{"id":"c1","type":"function","function":{"name":"w","arguments":"{bad"}}]},{"role":"tool","tool_call_id":"c1","content":"1"}],tools=[T2])
oc("two-systems",[{"role":"system","content":"a"},{"role":"system","content":"b"},U])
oc("late-system",[U,{"role":"assistant","content":"x"},{"role":"system","content":"b"},U])
oc("long-id",[U,{"role":"assistant","content":None,"tool_calls":[{"id":"x"*80,"type":"function","function":{"name":"w","arguments":"{}"}}]},{"role":"tool","tool_call_id":"x"*80,"content":"1"}],tools=[T2])
oc("dup-ids",[U,ACALL,{"role":"tool","tool_call_id":"call_abc","content":"1"},ACALL,{"role":"tool","tool_call_id":"call_abc","content":"2"}],tools=[T2])
an("tool-refs",tools=[{"name":"w","description":"d","input_schema":REFS}])
an("tool-openai",tools=[AT,{**AT,"name":"v"}],tool_choice={"type":"auto","disable_parallel_tool_use":False})
an("result-nocontent",[U,{"role":"assistant","content":[TU]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"toolu_1"}]}],tools=[AT])
an("empty-thinking",[U,{"role":"assistant","content":[{"type":"thinking","thinking":"","signature":"sig"},{"type":"text","text":"x"}]},U])
an("assistant-first",[{"role":"assistant","content":"x"},U])
an("two-tools",[U,{"role":"assistant","content":[TU,{**TU,"id":"toolu_2"}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"toolu_2","content":"b"},{"type":"tool_result","tool_use_id":"toolu_1","content":"a"},{"type":"text","text":"go"}]}],tools=[AT])
an("text-before-result",[U,{"role":"assistant","content":[{"type":"text","text":"x"},TU,{"type":"text","text":"y"}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"toolu_1","content":"a"}]}],tools=[AT])
an("many-system",system=[{"type":"text","text":"a"},{"type":"text","text":"b"}])
an("system-one",system=[{"type":"text","text":"a"}])
an("tool-choice-none-tools",tool_choice={"type":"auto"})
an("container-skills",container={"id":"c","skills":[{"type":"anthropic","skill_id":"pptx","version":"latest"}]},tools=[{"type":"code_execution_20250825","name":"code_execution"}])
an("temp-think",thinking={"type":"enabled","budget_tokens":1024},temperature=1,max_tokens=2000)
an("output-format",output_format={"type":"json_schema","schema":{"type":"object","properties":{},"additionalProperties":False}})
an("user-blank-blocks",[{"role":"user","content":[{"type":"text","text":"a"},{"type":"text","text":" "}]}])
ge("json-schema-tool",tools=[{"functionDeclarations":[{"name":"w","description":"","parametersJsonSchema":REFS}]}])
ge("multi-turn-role",[GU,{"role":"model","parts":[{"text":"x"}]},{"role":"user","parts":[{"text":"a"},{"text":"b"}]}])
ge("text-sig",[GU,{"role":"model","parts":[{"text":"x","thoughtSignature":"c2ln"}]},GU])
ge("function-role",[GU,{"role":"model","parts":[{"functionCall":{"name":"w","args":{}}}]},{"role":"function","parts":[{"functionResponse":{"name":"w","response":{"a":1}}}]}])
ge("two-responses",[GU,{"role":"model","parts":[{"functionCall":{"name":"w","args":{}}},{"functionCall":{"name":"v","args":{"a":1}}}]},{"role":"user","parts":[{"functionResponse":{"name":"w","response":{"a":1}}},{"functionResponse":{"name":"v","response":{"b":1}}},{"text":"go"}]}])
ge("g3",model="gemini-3-pro-preview",generationConfig={"thinkingConfig":{"thinkingLevel":"LOW","includeThoughts":True},"temperature":1.0})
ge("nested-config",generationConfig={"responseFormat":{"text":{"mimeType":"APPLICATION_JSON","schema":{"type":"object"}}}})
ge("server-tool-turn",[GU,{"role":"model","parts":[{"toolCall":{"id":"t","toolType":"GOOGLE_SEARCH_WEB","args":{}},"thoughtSignature":"eg=="},{"toolResponse":{"id":"t","toolType":"GOOGLE_SEARCH_WEB","response":{}}},{"text":"x"}]},GU])
be("two-results",[BU,{"role":"assistant","content":[BTU,{"toolUse":{**BTU["toolUse"],"toolUseId":"t2"}}]},{"role":"user","content":[{"toolResult":{"toolUseId":"t1","content":[{"json":{"a":1}}]}},{"toolResult":{"toolUseId":"t2","content":[{"text":"x"}],"status":"error"}},{"text":"go"}]}],toolConfig={"tools":[BT]})
be("no-strict",toolConfig={"tools":[{"toolSpec":{"name":"w","inputSchema":{"json":REFS}}}]})
be("nova-config",model="us.amazon.nova-pro-v1:0",inferenceConfig={"maxTokens":5,"temperature":0.1,"topP":0.2},additionalModelRequestFields={"inferenceConfig":{"topK":5}})
be("doc-text",[{"role":"user","content":[{"text":"?"},{"document":{"format":"txt","name":"n","source":{"text":"abc"}}},{"document":{"format":"md","name":"m","source":{"content":[{"text":"x"}]}}},{"video":{"format":"mp4","source":{"bytes":"AAAA"}}},{"audio":{"format":"wav","source":{"bytes":"AAAA"}}}]}])
BSU = {"toolUse": {"toolUseId": "s1", "name": "nova_code_interpreter", "input": {"snippet": "1"}, "type": "server_tool_use"}}
BSR = {"toolResult": {"toolUseId": "s1", "content": [{"json": {"exitCode": 0, "stdOut": "1"}}], "status": "success", "type": "nova_code_interpreter_result"}}
be("server-turn", [BU, {"role": "assistant", "content": [BSU, BSR, BTU]}, {"role": "user", "content": [{"toolResult": {"toolUseId": "t1", "content": [{"text": "x"}], "status": "success"}}, {"text": "go"}]}], model="us.amazon.nova-2-lite-v1:0", toolConfig={"tools": [BT, {"systemTool": {"name": "nova_code_interpreter"}}], "toolChoice": {"any": {}}})
be("server-text", [BU, {"role": "assistant", "content": [BSU, BSR, {"text": "1"}]}, BU], model="us.amazon.nova-2-lite-v1:0", toolConfig={"tools": [{"systemTool": {"name": "nova_code_interpreter"}}]})
be("guard-image",[{"role":"user","content":[{"text":"?"},{"guardContent":{"image":{"format":"png","source":{"bytes":PNG}}}}]}])
co("parts",[{"role":"user","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]}])
co("doc-dict",[U,{"role":"assistant","tool_calls":[{"id":"c1","type":"function","function":{"name":"w","arguments":"{}"}}]},{"role":"tool","tool_call_id":"c1","content":[{"type":"document","document":{"id":"1","data":{"a":"b"}}},{"type":"text","text":"t"}]}],tools=[FN])
co("tool-str",[U,{"role":"assistant","tool_plan":"p","tool_calls":[{"id":"c1","type":"function","function":{"name":"w","arguments":"{}"}}]},{"role":"tool","tool_call_id":"c1","content":"[{\"a\":1}]"}],tools=[T2])
co("json",response_format={"type":"json_object"})
mi("prefix-false",[U,{"role":"assistant","content":"x","prefix":False},U])
mi("tool-empty",[U,{"role":"assistant","content":None,"tool_calls":[{"id":"abcdefghi","type":"function","function":{"name":"w","arguments":"{}"},"index":0}]},{"role":"tool","tool_call_id":"abcdefghi","name":"w","content":""}],tools=[T2])
mi("json",response_format={"type":"json_object"})
mi("agents",tools=[{"type":"web_search"},{"type":"document_library","library_ids":["x"]}])
ol("tools-plain",tools=[T2])
ol("sys",[{"role":"system","content":"s"},U],options={"seed":1,"top_k":2,"mirostat":1})
cc("deepseek-json","deepseek","deepseek-chat",response_format={"type":"json_object"},logprobs=True,top_logprobs=2,frequency_penalty=0.1)
cc("router-tools","openrouter","openai/gpt-4o",tools=[FR],tool_choice="auto",response_format={"type":"json_schema","json_schema":{"name":"x","strict":True,"schema":{"type":"object","properties":{"a":{"type":"string"}},"required":["a"],"additionalProperties":False}}})
cc("router-prov","openrouter","x-ai/grok-4",reasoning={"max_tokens":100},include_reasoning=True,prediction={"type":"content","content":"x"},web_search_options={},structured_outputs=True,stream_options={"include_usage":True},debug={"echo_upstream_body":True},preset="p",cache_control={"type":"ephemeral"})
cc("groq-images","groq","meta-llama/llama-4-scout-17b-16e-instruct",[{"role":"user","content":[{"type":"text","text":"?"},{"type":"image_url","image_url":{"url":"https://example.com/a.png"}}]}])
cc("xai-image","grok","grok-4.5",[{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/png;base64,"+PNG,"detail":"high"}},{"type":"text","text":"?"}]}])
rs("reasoning-item-turn",[{"role":"user","content":"hi"},{"role":"assistant","content":[{"type":"output_text","text":"a","annotations":[{"type":"url_citation","url":"https://a","title":"t","start_index":0,"end_index":1}]}],"phase":"final_answer"},{"role":"user","content":"x"}])
rs("developer",[{"role":"developer","content":"d"},{"role":"user","content":"x"}])
rs("system-parts",[{"role":"system","content":[{"type":"input_text","text":"d"}]},{"role":"user","content":"x"}])
rs("strict-true","hi",tools=[{"type":"function","name":"w","description":"d","parameters":{"type":"object","properties":{"a":{"type":"string"}},"required":["a"],"additionalProperties":False},"strict":True},{"type":"local_shell"},{"type":"computer_use_preview","display_width":1,"display_height":1,"environment":"browser"},{"type":"apply_patch"},{"type":"shell","environment":{"type":"container_auto"}},{"type":"tool_search"}])

_DIFFERS: dict[str, tuple[str, str]] = {
    "openai:sdk-dump": (".messages[1].audio .messages[1].function_call .messages[1].refusal .messages[1].tool_calls", ""),
    **{f"openai:{it}": (".tools[0].function.parameters", "") for it in ("tool-name", "tool-calls-nulls", "bad-args", "long-id", "dup-ids")},
    "openai:tool-empty-params": (".tools[0].function.parameters.properties .tools[0].function.parameters.type", ""),
    "anthropic:assistant-first": (".messages", ""),
    "anthropic:many-system": (".system", ""),  # as one text
    "anthropic:system-one": (".system", ""),
    "anthropic:tool-choice-none-tools": (".tool_choice", ""),
    "anthropic:user-blank-blocks": (".messages[0].content", ""),
    "gemini:function-role": (".contents[2].role", ""),
    "cohere:doc-dict": (".strict_tools .tools[0].function.strict", ""),
    "cohere:tool-str": (".tools[0].function.parameters", ""),
    "mistral:tool-empty": (".messages[1].content .messages[1].tool_calls[0].index .tools[0].function.parameters", ""),
    "ollama:tools-plain": (".tools[0].function.parameters", ""),
    "responses:reasoning-item-turn": (".input[1].content", "messages[1].content[0].annotations"),
    "responses:strict-true": (".input", ""),
    "openai:logprobs": (".max_tokens .max_completion_tokens", ""),
    "openai:audio-ref": (".messages[1].content", ""),
    "responses:text": (".input .parallel_tool_calls .top_logprobs", "parallel_tool_calls top_logprobs"),
    "responses:schema": (".input", ""),
    "responses:tools": (".input", ""),
    "responses:tool-choice-own": (".input", ""),
    "responses:tool-choice-fn": (".input", ""),
    "responses:assistant": (".input[1].content", ""),
    "responses:conversation": (".input", ""),
    "anthropic:tools-custom-type": (".tools[0].type", ""),  # what a tool is without a type
    "anthropic:tools": (".tools[0].input_schema.additionalProperties", ""),
    "anthropic:prefill": (".messages[1].content", ""),
    "anthropic:consecutive": (".messages", ""),
    "gemini:no-role": (".contents[0].role", ""),
    "cohere:tools": (".tools[0].function.strict", ""),
    "cohere:turn": (".tools[0].function.strict .strict_tools", ""),
    "ollama:turn": (".messages[1].tool_calls[0].id .messages[2].tool_call_id .tools[0].function.strict", "strict"),
    "deepseek:deepseek": (".messages[1].reasoning_content", ""),
}
for _case in REQUESTS:
    if _case.name in _DIFFERS:
        _places, _told = _DIFFERS[_case.name]
        _case.differs, _case.told = frozenset(_places.split()), tuple(_told.split())
