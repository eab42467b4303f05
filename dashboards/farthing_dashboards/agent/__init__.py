"""A sample agent as anyone would write it, to see farthing at work on: two workflows, eight steps.

`research_brief` is a LangGraph and knows nothing of farthing: the names of its graph and nodes are
found. `customer_report` is plain functions, and says itself what its workflow and steps are.
"""
