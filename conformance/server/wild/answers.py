"""Reports of what goes wrong with answers: reasons, calls, messages, counts, names, parameters."""

from collections.abc import Mapping
from typing import Final

from conformance.server.wild.report import Report, cited

ANSWERS: Final[Mapping[str, Report]] = {
    "F-FIN-01": Report(
        what="The reason is stop although the model called a tool.",
        tier="NU",
        reported=cited(
            "vllm-project/vllm#25054 BerriAI/litellm#12249 BerriAI/litellm#12862 googleapis/python-genai#2868 "
            "ollama/ollama#7963 mudler/LocalAI#1744"
        ),
    ),
    "F-FIN-02": Report(
        what="The reason speaks of tool calls and hides that the limit cut their arguments off.",
        tier="SU",
        reported=cited("vllm-project/vllm#53269"),
    ),
    "F-FIN-03": Report(
        what="The reason is null at the end, always or at times.",
        tier="NU",
        reported=cited("vllm-project/vllm#27572 danny-avila/LibreChat#5563 pydantic/pydantic-ai#2996"),
    ),
    "F-FIN-04": Report(
        what="The member for the reason is missing.",
        tier="NU",
        reported=cited("BerriAI/liteLLM-proxy#19"),
    ),
    "F-FIN-05": Report(
        what="A provider's own word stands for the reason.",
        tier="NU",
        reported=cited(
            "BerriAI/litellm#12481 vercel/modelfusion#343 openai/openai-dotnet#267 "
            "huggingface/text-generation-inference#2296 huggingface/text-generation-inference#2344 "
            "vespa-engine/vespa#33327 mistralai/client-python#123"
        ),
    ),
    "F-FIN-06": Report(
        what="A reason is given before the answer is over, or more than once.",
        tier="SU",
        reported=cited("BerriAI/litellm#31634 sgl-project/sglang#8417"),
    ),
    "F-FIN-07": Report(
        what="Of several choices only the last has a reason.",
        tier="O",
        reported=cited("sgl-project/sglang#8417 modelscope/ms-swift#5025"),
        elsewhere="only the OpenAI surface can be asked for several choices",
    ),
    "F-FIN-08": Report(
        what="The reason comes with the last text, where readers miss one or the other.",
        tier="S",
        reported=cited("vllm-project/vllm#35705 vllm-project/vllm#36944"),
        elsewhere="a legal way to end, which a variant shows; what readers make of it is theirs",
    ),
    "F-FIN-09": Report(
        what="Asking for probabilities makes the reason disappear.",
        tier="OU",
        reported=cited("BerriAI/litellm#10686"),
        elsewhere="only the OpenAI surface can be asked for probabilities",
    ),
    "F-FIN-10": Report(
        what="An answer that the limit cut off is called finished.",
        tier="NU",
        reported=cited("BerriAI/litellm#37710 sgl-project/sglang#7708 ddalcu/llmprobe"),
    ),
    "F-FIN-11": Report(
        what="The reason is wrong in some other way.",
        tier="N",
        reported=cited(
            "vllm-project/vllm#9209 vllm-project/vllm#31871 vllm-project/vllm#32506 BerriAI/litellm#376 "
            "BerriAI/litellm#2692 BerriAI/litellm#6104 BerriAI/litellm#35663 BerriAI/litellm#40040 "
            "ollama/ollama#5995 Blaizzy/mlx-vlm#964 Blaizzy/mlx-vlm#990 Blaizzy/mlx-vlm#1014 ROCm/FastFlowLM#497 "
            "ROCm/FastFlowLM#500"
        ),
    ),
    "F-TC-01": Report(
        what="Pieces of streamed calls do not say to which call they belong.",
        tier="SU",
        reported=cited(
            "ollama/ollama#7881 chenyme/grok2api#239 EricLBuehler/mistral.rs#1507 openai/openai-python#2806 "
            "openai/openai-python#3246 AstrBotDevs/AstrBot#6692 vercel/ai#5885 vercel/ai#15879 "
            "ajac-zero/mock-ai#10"
        ),
    ),
    "F-TC-02": Report(
        what="Several calls share the number 0, and readers merge them.",
        tier="SU",
        reported=cited(
            "ollama/ollama#15457 mcowger/plexus#691 su-kaka/gcli2api#406 ai-dynamo/dynamo#4723 "
            "maximhq/bifrost#1829 huggingface/smolagents#1958 oracle/langchain-oracle#253"
        ),
    ),
    "F-TC-03": Report(
        what="Later pieces of a call bring an empty id or name, which overwrites the first.",
        tier="SU",
        reported=cited(
            "anomalyco/opencode#37841 anomalyco/opencode#40969 anomalyco/opencode#43328 Wei-Shaw/sub2api#5632"
        ),
    ),
    "F-TC-04": Report(
        what="A call begins without the function's name, or the name comes late.",
        tier="SU",
        reported=cited("jjang-ai/vmlx#244 vercel/ai#14722 vercel/ai#14760"),
    ),
    "F-TC-05": Report(
        what="The function's name comes in every piece, and joined up it is no function's name.",
        tier="SU",
        reported=cited("open-webui/open-webui#22177 open-webui/open-webui#22235 continuedev/continue#5849"),
    ),
    "F-TC-06": Report(
        what="A call has no id, or several.",
        tier="NU",
        reported=cited("BerriAI/litellm#33223 BerriAI/litellm#40040 sgl-project/sglang#4700"),
    ),
    "F-TC-07": Report(
        what="The chunk that ends a streamed call takes its id, type or name away.",
        tier="SU",
        reported=cited("vllm-project/vllm#31438"),
    ),
    "F-TC-08": Report(
        what="The arguments are an object where JSON in a string is due.",
        tier="NU",
        reported=cited(
            "ggml-org/llama.cpp#20198 ggml-org/llama.cpp#20202 huggingface/text-generation-inference#2136 "
            "sipeed/picoclaw#1287"
        ),
    ),
    "F-TC-09": Report(
        what="Having no arguments is told as null or as an empty string.",
        tier="NU",
        reported=cited("vllm-project/vllm#11392 vllm-project/vllm#21046"),
    ),
    "F-TC-10": Report(
        what="The arguments are no JSON, or only its beginning.",
        tier="NU",
        reported=cited(
            "vllm-project/vllm#10589 vllm-project/vllm#15274 vllm-project/vllm#19056 vllm-project/vllm#45256 "
            "vllm-project/vllm#48702 openvinotoolkit/model_server#3838"
        ),
    ),
    "F-TC-11": Report(
        what="The same calls read differently streamed and not.",
        tier="U",
        reported=cited(
            "vllm-project/vllm#18108 vllm-project/vllm#47137 vllm-project/vllm#47903 vllm-project/vllm#58824 "
            "vllm-project/vllm#58825 sgl-project/sglang#41315 sgl-project/sglang#41316 sgl-project/sglang#41317 "
            "ollama/ollama#18658 ollama/ollama#18659"
        ),
    ),
    "F-TC-12": Report(
        what="Calls get lost as soon as the answer is streamed.",
        tier="UN",
        reported=cited("ollama/ollama#9632 ollama/ollama#12557 earendil-works/pi#1125"),
    ),
    "F-TC-13": Report(
        what="The marks by which a model's template sets calls apart show in the text.",
        tier="S",
        reported=cited(
            "vllm-project/vllm#28297 vllm-project/vllm#32506 raullenchai/Rapid-MLX#448 smg-project/smg#2203"
        ),
    ),
    "F-TC-14": Report(
        what="The model calls, or does not, whatever `tool_choice` says.",
        tier="N",
        reported=cited("Blaizzy/mlx-vlm#1045 google-ai-edge/LiteRT-LM#2471 ayunis-core/ayunis-core#705"),
    ),
    "F-TC-15": Report(
        what="The server's own message with calls is refused when it comes back in the history.",
        tier="NU",
        reported=cited("ogx-ai/ogx#1751 mistralai/mistral-common#324 ollama/ollama#14181"),
    ),
    "F-TC-16": Report(
        what="An engine misreads what its model wrote, in ways of its own.",
        tier="S",
        reported=cited(
            "vllm-project/vllm#47906 vllm-project/vllm#48020 vllm-project/vllm#56263 vllm-project/vllm#57826 "
            "sgl-project/sglang#31915 sgl-project/sglang#35083 sgl-project/sglang#35562 ollama/ollama#18354 "
            "ollama/ollama#18390 ollama/ollama#18421"
        ),
    ),
    "F-MSG-01": Report(
        what="Nothing says that the assistant speaks.",
        tier="NS",
        reported=cited(
            "tensorzero/tensorzero#1265 langwatch/langwatch#6196 langwatch/langwatch#6214 diegosouzapw/OmniRoute#3911"
        ),
    ),
    "F-MSG-02": Report(
        what="Later chunks have an empty role, which overwrites the first.",
        tier="SU",
        reported=cited("MiniMax-AI/MiniMax-M2.5#2 langchain-ai/langchainjs#11468 langchain-ai/langchainjs#11470"),
    ),
    "F-MSG-03": Report(
        what="Where nothing is said the content is null in one place and missing or empty in another.",
        tier="N",
        reported=cited("vercel/ai#12389 vercel/ai#12605 vercel/ai#13744 TQZHR/grok2api#41"),
    ),
    "F-MSG-04": Report(
        what="The last chunk has no delta.",
        tier="NU",
        reported=cited("QwenLM/qwen-code#1448"),
    ),
    "F-MSG-05": Report(
        what="What the model thought shows in the answer's text, or is lost.",
        tier="SU",
        reported=cited(
            "kekzl/imp#793 router-for-me/CLIProxyAPI#4861 tinyhumansai/openhuman#6184 "
            "lmstudio-ai/lmstudio-bug-tracker#2411"
        ),
    ),
    "F-MSG-06": Report(
        what="The content is a list of parts where a string is due.",
        tier="NU",
    ),
    "F-MSG-07": Report(
        what="Each chunk is wrapped in the envelope of unstreamed answers.",
        tier="N",
    ),
    "F-USE-01": Report(
        what="A chunk with counts and no choice comes unasked, and plain clients crash on it.",
        tier="NU",
        reported=cited("Arthur-Ficial/apfel#100 anomalyco/opencode#42918"),
    ),
    "F-USE-02": Report(
        what="Counts that come after the reason are lost on the way.",
        tier="UO",
        reported=cited("agentjido/req_llm#767"),
        elsewhere="only the scripted backend knows what was lost, and the native surface promises no counts in streams",
    ),
    "F-USE-03": Report(
        what="Every chunk has counts, and readers add them up.",
        tier="US",
        reported=cited("open-webui/computer#96"),
    ),
    "F-USE-04": Report(
        what="Counts were asked for in a stream and do not come.",
        tier="O",
        reported=cited("tensorzero/tensorzero#1851"),
        elsewhere="only the OpenAI surface can be asked for counts in streams",
    ),
    "F-USE-05": Report(
        what="The counts are zeros.",
        tier="NU",
        reported=cited("bkataru/igllama#82 tenstorrent/tt-inference-server#3554"),
    ),
    "F-USE-06": Report(
        what="The counts are negative, or do not add up.",
        tier="NU",
        reported=cited("SamSaffron/term-llm#424 Tencent/WeKnora#2980"),
    ),
    "F-USE-07": Report(
        what="The counts are not those of the text.",
        tier="S",
        reported=cited("vllm-project/vllm#8625"),
    ),
    "F-USE-08": Report(
        what="A first chunk with nothing in it, as one provider sends it, is passed on.",
        tier="UN",
        reported=cited("BerriAI/litellm#3276"),
    ),
    "F-ID-01": Report(
        what="The id changes from chunk to chunk, or is empty.",
        tier="S",
        reported=cited("sgl-project/sglang#39864 huggingface/text-generation-inference#1782 modelscope/ms-swift#9926"),
    ),
    "F-ID-02": Report(
        what="The member that names the kind of the object is wrong.",
        tier="O",
        reported=cited("ml-explore/mlx-examples#913"),
        elsewhere="only the OpenAI surface has that member",
    ),
    "F-ID-03": Report(
        what="The choice's number counts the chunks.",
        tier="NU",
        reported=cited("huggingface/text-generation-inference#1648"),
    ),
    "F-ID-04": Report(
        what="The time is zero, in another unit, changing or missing.",
        tier="N",
        reported=cited(
            "microsoft/foundry-local#144 microsoft/foundry-local#221 BerriAI/litellm#1571 BerriAI/litellm#14429 "
            "ggml-org/llama.cpp#5876"
        ),
    ),
    "F-ID-05": Report(
        what="The backend's name for the model shows in the place of the slug.",
        tier="SU",
    ),
    "F-PAR-01": Report(
        what="`max_tokens` does nothing.",
        tier="NU",
        reported=cited(
            "vllm-project/vllm-omni#445 BerriAI/litellm#1629 kryptic-sh/infr#19 theroyallab/tabbyAPI#390 "
            "stuartleeks/aoai-simulated-api#34"
        ),
    ),
    "F-PAR-02": Report(
        what="The newer name of the token limit is not known, or the older is not put into it.",
        tier="OU",
        reported=cited(
            "Luce-Org/lucebox#165 abetlen/llama-cpp-python#1907 mozilla-ai/llamafile#701 Arthur-Ficial/apfel#478 "
            "Arthur-Ficial/apfel#487"
        ),
    ),
    "F-PAR-03": Report(
        what="Some tokens more than the limit are written, the rest of a block that was guessed ahead.",
        tier="SU",
        reported=cited("ddalcu/llmprobe"),
    ),
    "F-PAR-04": Report(
        what="`stop` does nothing.",
        tier="NU",
        reported=cited("Blaizzy/mlx-vlm#1044"),
    ),
    "F-PAR-05": Report(
        what="The stop sequence shows in the text, whole or in part.",
        tier="SU",
        reported=cited(
            "vllm-project/vllm#3574 sgl-project/sglang#11446 sgl-project/sglang#11462 SharpAI/SwiftLM#126 "
            "SharpAI/SwiftLM#132 SharpAI/SwiftLM#133 lm-sys/FastChat#1048 lm-sys/FastChat#3883 mzau/mlx-knife#68 "
            "ggml-org/llama.cpp#15007 smg-project/smg#2203"
        ),
    ),
    "F-PAR-06": Report(
        what="A parameter is accepted and dropped.",
        tier="NU",
        reported=cited("ddalcu/llmprobe vllm-project/vllm#28266"),
    ),
    "F-PAR-07": Report(
        what="The parameters of sampling reach the backend under a wrong name or not at all.",
        tier="U",
        reported=cited("bircex/llmr#72"),
        elsewhere="no answer depends on them; only the scripted backend sees what it was asked",
    ),
    "F-PAR-08": Report(
        what="What one client set holds for the next request too.",
        tier="N",
        reported=cited("Atomic-Germ/OpenFlowLM-Next#77"),
    ),
    "F-OPT-01": Report(
        what="The format that was asked for is a wish at best.",
        tier="O",
        reported=cited("jundot/omlx#1241 ggml-org/llama.cpp#11847 ggml-org/llama.cpp#11988 rynfar/meridian#898"),
        elsewhere="only the OpenAI surface can be asked for a format",
    ),
    "F-OPT-02": Report(
        what="Probabilities are dropped, shifted, or only there without a stream.",
        tier="O",
        reported=cited(
            "sgl-project/sglang#30188 ml-explore/mlx-lm#1630 BerriAI/litellm#3253 abetlen/llama-cpp-python#197 "
            "abetlen/llama-cpp-python#1787 kekzl/imp#1589"
        ),
        elsewhere="only the OpenAI surface can be asked for probabilities",
    ),
    "F-OPT-03": Report(
        what="An image is turned into text on its way to the model.",
        tier="U",
        reported=cited("azerozero/grob#554"),
    ),
}
