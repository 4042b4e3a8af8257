"""The shipped words of every notice, in English and French. `{fields}` are those of FIELDS; nothing is evaluated."""

from __future__ import annotations

from dataclasses import dataclass

FIELDS = {
    "number": "INC-42",
    "title": "Checkout is down",
    "where": "checkout · eu-1",
    "since": "2026-11-02 10:03 CET",
    "priority": "P1",
    "owner": "Anna",
    "alert": "HighLatency",
    "due": "2026-11-05 10:00 CET",
    "days": "7",
    "team": "Operations",
    "status": "in progress",
}
"""What a text may name, each with an example for the preview."""


@dataclass(frozen=True, slots=True)
class Words:
    """subject and lead of an event; link: what the link is called there ("" for the usual)."""

    subject: str
    lead: str
    link: str = ""


EN: dict[str, Words] = {
    "opened": Words("New: {title}", "A new ticket of priority {priority} waits for somebody to take it."),
    "assigned": Words("For {owner}: {title}", "This ticket is now assigned to {owner}."),
    "refired": Words("Fires again: {title}", "The alert {alert} fires again."),
    "flaps": Words(
        "Flapping: {title}",
        "The alert {alert} fires and recovers again and again. You are told once, and again when it is calm.",
    ),
    "calms": Words("Calm again: {title}", "The alert {alert} no longer flaps. Look whether it fires or has recovered."),
    "reopened": Words("Reopened: {title}", "This ticket is open again."),
    "reply": Words("Answer: {title}", "The requester wrote to you."),
    "unassigned": Words("Nobody has taken it: {title}", "This ticket has had no owner since it was opened."),
    "review_due": Words("Review to write: {title}", "A review of this ticket is due by {due}."),
    "review_soon": Words("Review due soon: {title}", "The review of this ticket is due by {due}."),
    "review_overdue": Words("Review overdue: {title}", "The review of this ticket was due on {due}."),
    "review_submitted": Words("Review to approve: {title}", "A review waits for your approval."),
    "review_changes": Words("Review to change: {title}", "The reviewer asked for changes."),
    "review_named": Words("You review: {title}", "You are named as the reviewer of this ticket."),
    "second_person": Words("A second person is asked: {title}", "Somebody asks for your approval."),
    "received": Words("We have it: {title}", "Your message has arrived. Its number is {number}."),
    "message": Words("About your ticket: {title}", "We wrote to you about your ticket {number}."),
    "confirm": Words(
        "Is it solved? {title}",
        "We think that this is solved. Please tell us whether it is: open the link, then choose.",
        "Solved, or not",
    ),
    "phone_confirmed": Words(
        "You told us that it is solved: {title}",
        "We noted that you confirmed by phone that this is solved. If that is not so, open the link and say no.",
        "No, it is not solved",
    ),
    "closed": Words("Closed: {title}", "Your ticket {number} is closed."),
    "cancelled": Words("Not taken further: {title}", "Your ticket {number} is not taken further."),
    "remind": Words(
        "Is it solved? {title}",
        "We asked you whether this is solved and have no answer yet. Please tell us: open the link, then choose.",
        "Solved, or not",
    ),
    "silence_confirmed": Words(
        "Taken as solved: {title}",
        "You did not answer, so we take this as solved. If it is not, open the link and say no.",
        "No, it is not solved",
    ),
    "question_reminder": Words("We wait for you: {title}", "We asked you something about your ticket {number}."),
    "silent": Words(
        "No answer yet: {title}",
        "The requester does not say whether this is solved. A call may help.",
    ),
    "lead_decides": Words(
        "You decide: {title}",
        "The requester does not say whether this is solved, and here silence is no answer: please decide.",
    ),
    "no_answer": Words(
        "No answer: {title}",
        "The requester does not answer our question. Call, give it to somebody else, or a lead ends it.",
    ),
    "reply_resolved": Words(
        "What does it mean? {title}",
        "The requester answered on a resolved ticket: confirmed, not solved, or a new subject? Please say which.",
    ),
    "stale": Words("Nobody works on it: {title}", "No person has worked on this ticket for {days} days."),
    "stale_lead": Words("Nobody works on it: {title}", "No person has worked on this ticket for {days} days."),
    "look": Words("Look again: {title}", "This ticket is on hold, and its date to look again has come."),
    "resumed": Words("Goes on: {title}", "The date has come until which this ticket waited."),
    "page": Words("Page: {title}", "You are called: take the ticket, or the next person is called."),
    "digest": Words("Waiting for you: {title}", "These tickets waited until now."),
    "storm": Words("Many at once: {title}", "The page budget is used up: these tickets are told in one digest."),
    "state": Words("{title}", "Where this ticket is now: {status}."),
    "invitation": Words(
        "You are invited to the service desk",
        "An account was made for you: {owner}. Open the link within 7 days to come in and set your password.",
        "Come in",
    ),
    "password_reset": Words(
        "A new password for the service desk",
        "Somebody asked for a new password for {owner}. Open the link within an hour; if it was not you, do nothing.",
        "Set a new password",
    ),
    "to_check": Words(
        "{title} records wait to be checked",
        "Alerts were recorded without a ticket, and nobody has looked at them for too long.",
        "Open the list",
    ),
    "test": Words("A test", "This is a test message. There is nothing to do."),
}
FR: dict[str, Words] = {
    "opened": Words("Nouveau : {title}", "Un nouveau ticket de priorité {priority} attend d’être pris en charge."),
    "assigned": Words("Pour {owner} : {title}", "Ce ticket est désormais attribué à {owner}."),
    "refired": Words("Se déclenche à nouveau : {title}", "L’alerte {alert} se déclenche à nouveau."),
    "flaps": Words(
        "Instable : {title}",
        "L’alerte {alert} se déclenche et se rétablit sans cesse. Un autre message dira le retour au calme.",
    ),
    "calms": Words("De nouveau calme : {title}", "L’alerte {alert} n’est plus instable. Voyez si elle est rétablie."),
    "reopened": Words("Rouvert : {title}", "Ce ticket est de nouveau ouvert."),
    "reply": Words("Réponse : {title}", "Le demandeur vous a écrit."),
    "unassigned": Words("Sans responsable : {title}", "Ce ticket n’a pas de responsable depuis son ouverture."),
    "review_due": Words("Bilan à rédiger : {title}", "Un bilan de ce ticket est attendu pour le {due}."),
    "review_soon": Words("Bilan bientôt dû : {title}", "Le bilan de ce ticket est attendu pour le {due}."),
    "review_overdue": Words("Bilan en retard : {title}", "Le bilan de ce ticket était attendu pour le {due}."),
    "review_submitted": Words("Bilan à approuver : {title}", "Un bilan attend votre approbation."),
    "review_changes": Words("Bilan à modifier : {title}", "Le relecteur demande des modifications."),
    "review_named": Words("Vous relisez : {title}", "Vous êtes désigné relecteur de ce ticket."),
    "second_person": Words("Une deuxième personne est demandée : {title}", "Quelqu’un demande votre approbation."),
    "received": Words("Bien reçu : {title}", "Votre message est arrivé. Son numéro est {number}."),
    "message": Words("Au sujet de votre ticket : {title}", "Nous vous avons écrit au sujet de votre ticket {number}."),
    "confirm": Words(
        "Est-ce résolu ? {title}",
        "Nous pensons que c’est résolu. Dites-nous si c’est le cas : ouvrez le lien, puis choisissez.",
        "Résolu, ou non",
    ),
    "phone_confirmed": Words(
        "Vous nous avez dit que c’est résolu : {title}",
        "Nous avons noté que vous avez confirmé par téléphone la résolution. Sinon, ouvrez le lien et dites non.",
        "Non, ce n’est pas résolu",
    ),
    "closed": Words("Fermé : {title}", "Votre ticket {number} est fermé."),
    "cancelled": Words("Sans suite : {title}", "Votre ticket {number} reste sans suite."),
    "remind": Words(
        "Est-ce résolu ? {title}",
        "Nous vous avons demandé si c’est résolu, sans réponse pour l’instant. Ouvrez le lien, puis choisissez.",
        "Résolu, ou non",
    ),
    "silence_confirmed": Words(
        "Tenu pour résolu : {title}",
        "Sans réponse de votre part, nous le tenons pour résolu. Sinon, ouvrez le lien et dites non.",
        "Non, ce n’est pas résolu",
    ),
    "question_reminder": Words(
        "Nous vous attendons : {title}", "Nous vous avons posé une question au sujet de votre ticket {number}."
    ),
    "silent": Words(
        "Pas encore de réponse : {title}",
        "Le demandeur ne dit pas si c’est résolu. Un appel peut aider.",
    ),
    "lead_decides": Words(
        "À vous de décider : {title}",
        "Le demandeur ne dit pas si c’est résolu, et ici le silence ne vaut pas réponse : décidez, s’il vous plaît.",
    ),
    "no_answer": Words(
        "Sans réponse : {title}",
        "Le demandeur ne répond pas à notre question. Appelez, confiez-le à un autre, ou un chef d’équipe y met fin.",
    ),
    "reply_resolved": Words(
        "Qu’est-ce que cela veut dire ? {title}",
        "Le demandeur a répondu sur un ticket résolu : confirmé, pas résolu, ou un nouveau sujet ? Dites lequel.",
    ),
    "stale": Words("Personne n’y travaille : {title}", "Personne n’a travaillé sur ce ticket depuis {days} jours."),
    "stale_lead": Words(
        "Personne n’y travaille : {title}", "Personne n’a travaillé sur ce ticket depuis {days} jours."
    ),
    "look": Words("À revoir : {title}", "Ce ticket est en attente et sa date de revue est arrivée."),
    "resumed": Words("Reprise : {title}", "La date jusqu’à laquelle ce ticket attendait est arrivée."),
    "page": Words("Appel : {title}", "On vous appelle : prenez le ticket, sinon la personne suivante sera appelée."),
    "digest": Words("En attente de vous : {title}", "Ces tickets ont attendu jusqu’à maintenant."),
    "storm": Words("Plusieurs à la fois : {title}", "Trop d’alarmes à la fois : ces tickets sont regroupés ici."),
    "state": Words("{title}", "Où en est ce ticket : {status}."),
    "invitation": Words(
        "Vous êtes invité au centre de services",
        "Un compte a été créé pour vous : {owner}. Ouvrez le lien sous 7 jours pour entrer et choisir un mot de passe.",
        "Entrer",
    ),
    "password_reset": Words(
        "Un nouveau mot de passe pour le centre de services",
        "Un nouveau mot de passe a été demandé pour {owner}. Ouvrez le lien sous une heure ; sinon, ne faites rien.",
        "Choisir un nouveau mot de passe",
    ),
    "to_check": Words(
        "{title} enregistrements à vérifier",
        "Des alertes ont été enregistrées sans ticket et personne ne les a regardées depuis trop longtemps.",
        "Ouvrir la liste",
    ),
    "test": Words("Un essai", "Ceci est un message d’essai. Il n’y a rien à faire."),
}
LABELS = {
    "en": {
        "what": "What",
        "where": "Where",
        "since": "Since",
        "priority": "Priority",
        "number": "Number",
        "owner": "Owner",
        "open": "Open {number}",
        "nobody": "nobody yet",
        "acknowledge": "I take care of it",
        "footer": "Sent by the service desk. Keep {number} in the subject when you answer.",
        "letter": "Sent by the service desk.",
    },
    "fr": {
        "what": "Quoi",
        "where": "Où",
        "since": "Depuis",
        "priority": "Priorité",
        "number": "Numéro",
        "owner": "Responsable",
        "open": "Ouvrir {number}",
        "nobody": "personne",
        "acknowledge": "Je m’en occupe",
        "footer": "Envoyé par le centre de services. Gardez {number} dans l’objet de votre réponse.",
        "letter": "Envoyé par le centre de services.",
    },
}
TEXTS = {"en": EN, "fr": FR}
