"""Research briefs, by a LangGraph: its name and those of its nodes are all that there is to find.

It does what agents do to waste money: it asks the same again, and stops reading before the end.
"""

from __future__ import annotations

from typing import Any, TypedDict

from langgraph.graph import END, START, StateGraph  # pyright: ignore[reportMissingTypeStubs]

from farthing_dashboards.agent.models import Models, model


class Brief(TypedDict):
    number: int
    plan: str
    vector: list[float]
    findings: str
    document: str


class Researcher:
    """Each method is a node of the graph."""

    def __init__(self, models: Models) -> None:
        self.models = models
        graph: Any = StateGraph(Brief)
        graph.add_node(self.planning)
        graph.add_node(self.embed_query)
        graph.add_node(self.research)
        graph.add_node(self.doc_synthesis)
        graph.add_edge(START, "planning")
        graph.add_edge("planning", "embed_query")
        graph.add_edge("planning", "research")
        graph.add_edge(["embed_query", "research"], "doc_synthesis")
        graph.add_edge("doc_synthesis", END)
        self.graph = graph.compile(name="research_brief")

    async def write_brief(self, number: int) -> None:
        await self.graph.ainvoke({"number": number})

    def planning(self, brief: Brief) -> dict[str, Any]:
        plan = ""
        with self.models.asked("planning", brief["number"]) as goals:
            if brief["number"] % 5 == 0 and goals:
                goals[-1] = goals[0]  # the first plan was not to its liking: it asks the same again
            for goal in goals:
                with self.models.anthropic.messages.stream(
                    model=model("claude-sonnet-4-6"),
                    max_tokens=100,
                    system=[
                        {
                            "type": "text",
                            "text": "Plan the work in numbered steps.",
                            "cache_control": {"type": "ephemeral", "ttl": "1h"},
                        }
                    ],
                    messages=[{"role": "user", "content": goal}],
                ) as stream:
                    plan = stream.get_final_text()
        return {"plan": plan}

    def embed_query(self, brief: Brief) -> dict[str, Any]:
        vector: list[float] = []
        with self.models.asked("embed_query", brief["number"]) as queries:
            for query in queries:
                response = self.models.openai.embeddings.create(
                    model=model("text-embedding-3-large"), input=f"Search for: {query}"
                )
                vector = response.data[0].embedding
        return {"vector": vector}

    async def research(self, brief: Brief) -> dict[str, Any]:
        findings = ""
        with self.models.asked("research", brief["number"]) as questions:
            for question in questions:
                response = await self.models.openai_async.responses.create(
                    model=model("gpt-4.1"),
                    instructions="Research the question and name your sources.",
                    input=question,
                    max_output_tokens=100,
                )
                findings += response.output_text
        return {"findings": findings}

    def doc_synthesis(self, brief: Brief) -> dict[str, Any]:
        document = ""
        with self.models.asked("doc_synthesis", brief["number"]) as parts:
            for part in parts:
                # Now and then a look at how it begins is enough.
                skim = brief["number"] % 40 in (24, 34) and not document
                document += self.synthesise(part, skim=skim)
        return {"document": document}

    def synthesise(self, part: str, *, skim: bool) -> str:
        """A part of the document, or how it begins: what is not read is billed all the same."""
        text = ""
        with self.models.openai.responses.create(
            model=model("gpt-5.5"),
            instructions="Synthesise the document from all of its sources.",
            input=part,
            max_output_tokens=100,
            stream=True,
        ) as stream:
            for event in stream:
                if event.type == "response.output_text.delta":
                    text += event.delta
                    if skim and len(text) > 20:
                        break
        return text
