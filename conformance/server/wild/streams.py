"""Reports of what goes wrong with streams, failures and connections."""

from collections.abc import Mapping
from typing import Final

from conformance.server.wild.report import Report, cited

STREAMS: Final[Mapping[str, Report]] = {
    "F-SSE-01": Report(
        what="An error goes out under a field name that the standard does not know, and parsers skip it.",
        tier="NU",
        reported=cited("ggml-org/llama.cpp#16104 ggml-org/llama.cpp#16109"),
    ),
    "F-SSE-02": Report(
        what="Two events run together because no blank line separates them.",
        tier="NU",
        reported=cited("ggml-org/llama.cpp#14268"),
    ),
    "F-SSE-03": Report(
        what="The field name stands twice before one document.",
        tier="NU",
        reported=cited("paiml/aprender#2015"),
    ),
    "F-SSE-04": Report(
        what="A line of JSON without a field name, often the backend's error, and then nothing more.",
        tier="NU",
        reported=cited("lemonade-sdk/lemonade#2826 Helicone/ai-gateway#137"),
    ),
    "F-SSE-05": Report(
        what="A keep-alive comment comes out again as the data of an event.",
        tier="NU",
        reported=cited("anomalyco/opencode#50871 mnfst/llm-gateway#2053"),
    ),
    "F-SSE-06": Report(
        what="Events with names that nobody documented, some of them without data.",
        tier="NU",
        reported=cited("diegosouzapw/OmniRoute#1146 mckinsey/agents-at-scale-ark#2567"),
    ),
    "F-SSE-07": Report(
        what="A comment and an id make an event with empty data, on which JSON readers crash.",
        tier="U",
        reported=cited("theopenco/llmgateway#2334 openai/openai-python#2722"),
    ),
    "F-SSE-08": Report(
        what="No blank after the colon: the standard takes it, many readers do not.",
        tier="US",
        reported=cited(
            "lidge-jun/opencodex#1170 dataelement/Clawith#106 nullclaw/nullclaw#509 SamSaffron/term-llm#487"
        ),
    ),
    "F-SSE-09": Report(
        what="Nothing is sent while a long prompt is read, and proxies give the connection up.",
        tier="S",
        reported=cited("jundot/omlx#1011 jundot/omlx#839"),
    ),
    "F-SSE-10": Report(
        what="Each chunk repeats all the text so far.",
        tier="NU",
        reported=cited("perplexityai/api-discussion#209"),
    ),
    "F-SSE-11": Report(
        what="The stream is cut into events in a way that general clients cannot follow.",
        tier="N",
        reported=cited("hyperonym/basaran#144 coddy-project/coddy-agent#106"),
    ),
    "F-SSE-12": Report(
        what="Line ends, marks and separators that the documented clients stumble over, raw on the wire.",
        tier="N",
    ),
    "F-SSE-13": Report(
        what="One document is spread over several data lines.",
        tier="N",
        reported=cited("NousResearch/hermes-agent#112457"),
    ),
    "F-SSE-14": Report(
        what="The backend's stream is parsed one network read at a time, so an event that spans two reads is lost.",
        tier="U",
        reported=cited(
            "graniet/llm#90 zoedsoupe/anubis-mcp#233 fastrepl/anarlog#6872 tari-project/tari#8027 "
            "LearningCircuit/local-deep-research#6206"
        ),
    ),
    "F-SSE-15": Report(
        what="More is sent after the end marker, unseen by readers that stop there.",
        tier="N",
        reported=cited("ddalcu/llmprobe"),
    ),
    "F-CT-01": Report(
        what="A stream for a request that asked for none, or an end marker behind a JSON answer.",
        tier="N",
        reported=cited("decolua/9router#3492 diegosouzapw/OmniRoute#6740"),
    ),
    "F-CT-02": Report(
        what="One JSON document for a request that asked for a stream.",
        tier="N",
        reported=cited("sgl-project/mini-sglang#104 sgl-project/mini-sglang#51 kaito-project/kaito#1880"),
    ),
    "F-CT-03": Report(
        what="The stream's media type is wrong or missing.",
        tier="N",
        reported=cited(
            "nearai/private-ml-sdk#20 microsoft/foundry-dev-tools#195 BerriAI/litellm#34095 openai/openai-openapi#197"
        ),
    ),
    "F-CT-04": Report(
        what="Every path is served, also those that do not exist.",
        tier="N",
        reported=cited("ddalcu/llmprobe"),
    ),
    "F-DONE-01": Report(
        what="A stream that ended well has no end marker.",
        tier="NU",
        reported=cited(
            "ikawrakow/ik_llama.cpp#467 oobabooga/textgen#4778 huggingface/text-generation-inference#1896 "
            "gpustack/llama-box#2 mlc-ai/mlc-llm#1300 mlc-ai/mlc-llm#1325 perplexityai/api-discussion#209"
        ),
    ),
    "F-DONE-02": Report(
        what="The end marker is sent twice.",
        tier="NU",
        reported=cited("songquanpeng/one-api#1628 ray-project/ray#62228 ray-project/ray#62246"),
    ),
    "F-DONE-03": Report(
        what="A stream that failed has no end marker.",
        tier="NU",
        reported=cited("foundation-model-stack/fms-guardrails-orchestrator#437 lemonade-sdk/lemonade#2826"),
    ),
    "F-DONE-04": Report(
        what="A chunk of the backend that cannot be read is dropped, and the stream ends as if all were well.",
        tier="NU",
        reported=cited("pleaseai/shunt#481"),
    ),
    "F-DONE-05": Report(
        what="The end marker has a blank too many, or no line end.",
        tier="N",
    ),
    "F-TRU-01": Report(
        what="The backend hangs up in mid-answer, and the client is shown a good end.",
        tier="UN",
        reported=cited(
            "router-for-me/CLIProxyAPI#6010 Soju06/codex-lb#1833 CommandCodeAI/command-code#785 "
            "can1357/oh-my-pi#9433 brightwave-inc/tidebreak#1124 griffinwork40/agent-afk#635 "
            "ltmoerdani/opencode-copilot-chat#170"
        ),
    ),
    "F-TRU-02": Report(
        what="No chunk of the stream says why it ended.",
        tier="SU",
        reported=cited("pydantic/pydantic-ai#6610 pydantic/pydantic-ai#2996"),
    ),
    "F-TRU-03": Report(
        what="The connection stays open when everything was said.",
        tier="N",
    ),
    "F-ERR-01": Report(
        what="A failure that was known before the first byte is told inside a 200.",
        tier="NS",
        reported=cited(
            "ggml-org/llama.cpp#14566 lmstudio-ai/lmstudio-bug-tracker#2322 "
            "huggingface/text-generation-inference#1896 vllm-project/vllm#21052"
        ),
    ),
    "F-ERR-02": Report(
        what="The backend's error is passed on as the body of a 200.",
        tier="UN",
        reported=cited("azrtydxb/Fastllm-proxy#28"),
    ),
    "F-ERR-03": Report(
        what="The error hides in a chunk without choices, and the client sees success.",
        tier="UN",
        reported=cited("diegosouzapw/OmniRoute#8210 open-webui/open-webui#29628 mozilla-ai/any-llm#847"),
    ),
    "F-ERR-04": Report(
        what="A failure in mid-stream shows as a cut connection or as bare text.",
        tier="UN",
        reported=cited(
            "BerriAI/litellm#32086 BerriAI/litellm#32475 BerriAI/litellm#33222 dativo-io/talon#254 "
            "bigduu/Bamboo-agent#405"
        ),
    ),
    "F-ERR-05": Report(
        what="The error is a bare string, or has a code and no message.",
        tier="NU",
        reported=cited("Blaizzy/nativ#195 QuantumNous/new-api#6643"),
    ),
    "F-ERR-06": Report(
        what="The server takes the blame, with a 500, for what the client did wrong.",
        tier="N",
        reported=cited(
            "vllm-project/vllm#54017 vllm-project/vllm#17038 vllm-project/vllm#17664 kserve/kserve#3886 "
            "vllm-project/vllm-omni#1952 vllm-project/vllm-ascend#10426 sgl-project/sglang#12100"
        ),
    ),
    "F-ERR-07": Report(
        what="A prompt that is too long gets the wrong code, or is shortened in silence.",
        tier="SU",
        reported=cited("vllm-project/vllm#37011 NVIDIA/TensorRT-LLM#19457 ollama/ollama#2208"),
        elsewhere="a prompt longer than a context window costs more than the whole run, so none is sent",
    ),
    "F-ERR-08": Report(
        what="Throttling loses its status or its time to wait on the way.",
        tier="UN",
        reported=cited(
            "mozilla-ai/otari#978 headroomlabs-ai/headroom#1329 sourcegraph/sourcegraph#52518 "
            "scalaone/azure-openai-proxy#7 azerozero/grob#554"
        ),
    ),
    "F-ERR-09": Report(
        what="What is wrong with the request is told after the head of a stream went out.",
        tier="N",
        reported=cited("vllm-project/vllm#21052 majiayu000/litellm-rs#170"),
    ),
    "F-ERR-10": Report(
        what="The text of an error turns up as the assistant's own words.",
        tier="UN",
        reported=cited("fkiene/llmtrim#143 fr0ster/llm-agent#22"),
    ),
    "F-ERR-11": Report(
        what="Another model answers where the one that was asked for does not exist.",
        tier="N",
        reported=cited("Atomic-Germ/OpenFlowLM-Next#77"),
    ),
    "F-UTF-01": Report(
        what="Characters of several bytes break where pieces meet, and arrive as replacement characters.",
        tier="NU",
        reported=cited(
            "paiml/aprender#2019 cohere-ai/cohere-typescript#151 wecode-ai/Wegent#2271 mrpulor-gh/nuphus#41 "
            "unslothai/llama.cpp#202"
        ),
    ),
    "F-BUF-01": Report(
        what="A proxy holds the stream back and delivers it all at the end.",
        tier="SU",
        reported=cited(
            "langgenius/dify#41556 langgenius/dify#41755 databricks/unity-gateway#361 ChronoAIProject/NyxID#1206 "
            "sourcegraph/cody#2180 scalar/scalar#8871"
        ),
    ),
    "F-CAN-01": Report(
        what="The model goes on writing for a client that has left.",
        tier="SU",
        reported=cited(
            "BerriAI/litellm#13774 BerriAI/litellm#14304 BerriAI/litellm#22805 BerriAI/litellm#30244 "
            "BerriAI/litellm#30245 BerriAI/litellm#31499 BerriAI/litellm#37140 ggml-org/llama.cpp#24496 "
            "ggml-org/llama.cpp#24630"
        ),
        elsewhere="only the scripted backend sees whether the gateway hangs up",
    ),
}
